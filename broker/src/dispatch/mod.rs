//! From a frame to a handler and back to a frame. `routes` is the table of all APIs served.

mod refusal;
mod route;
mod routes;

use std::{ops::RangeInclusive, pin::Pin, sync::Arc};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    messages::{ApiKey, ApiVersionsResponse, cluster::api_versions::ApiVersion},
    wire::{Frame, Message, header::RequestHeader},
};

pub use crate::handlers::{Context, Endpoint, ListenerInfo, Peer, Software, Turns};
pub use refusal::Refusal;

use crate::{
    config::BrokerConfig,
    metrics::{Counter, names},
    services::Services,
};
use route::Route;
use routes::ROUTES;

/// Starts a request for each frame of any connection.
#[derive(Debug)]
pub struct Dispatch {
    services: Arc<Services>,
    versions: Versions,
    /// How often each route was taken, in the order of the table.
    taken: Vec<Counter>,
}

/// What became of a frame.
pub enum Started {
    /// To be polled once before the next frame of the connection is started, so that what its
    /// handler does before its first `.await` happens in order of arrival.
    Answering(Answer),
    /// To be sent as it is.
    Answered(Frame),
    /// No answer can be given: the connection is to be closed once it has what came before.
    Refused(Refusal),
}

/// Which versions of the APIs are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    Stable,
    /// Those too that Kafka may still change: see `unstable.api.versions.enable`.
    Unstable,
}

/// The frame to send, once it is there; `None` where the request wants no answer.
pub type Answer = Pin<Box<dyn Future<Output = Result<Option<Frame>, Refusal>> + Send>>;

impl Dispatch {
    #[must_use]
    pub fn new(services: Arc<Services>) -> Self {
        let count = |route: &Route| services.metrics.counter_of(&names::REQUESTS, route.key.name());
        let taken = ROUTES.iter().map(count).collect();
        let versions = Versions::from_config(&services.config.load());
        Self { services, versions, taken }
    }

    /// Takes a frame without its length. Runs none of the handler yet.
    #[must_use]
    pub fn start(&self, peer: &Arc<Peer>, mut frame: Bytes) -> Started {
        let header = match RequestHeader::decode(&mut frame) {
            Ok(header) => header,
            Err(fault) => return Started::Refused(Refusal::BadHeader(fault)),
        };
        let api = header.api_key;
        let found = ROUTES.iter().zip(&self.taken).find(|(route, _)| route.key.number() == api);
        let Some((route, taken)) = found else {
            return Started::Refused(Refusal::UnknownApi { api });
        };
        let version = header.api_version;
        if !self.versions.of(route, &route.served).contains(&version) {
            return if route.key == ApiKey::ApiVersions {
                which_versions(header.correlation_id)
            } else {
                Started::Refused(Refusal::UnsupportedVersion { api: route.key, version })
            };
        }
        taken.increment();
        let cx = Context {
            peer: Arc::clone(peer),
            client_id: header.client_id.as_ref().map(|id| peer.own(id)),
            version,
            now: self.services.clock.now(),
        };
        match (route.start)(Arc::clone(&self.services), cx, header.correlation_id, frame) {
            Ok(answer) => Started::Answering(answer),
            Err(fault) => Started::Refused(Refusal::BadBody { api: route.key, version, fault }),
        }
    }
}

impl Versions {
    #[must_use]
    pub const fn from_config(config: &BrokerConfig) -> Self {
        match config.unstable_api_versions {
            true => Self::Unstable,
            false => Self::Stable,
        }
    }

    fn of(self, route: &Route, stable: &RangeInclusive<i16>) -> RangeInclusive<i16> {
        match self {
            Self::Stable => stable.clone(),
            Self::Unstable => *stable.start()..=route.unstable_last.max(*stable.end()),
        }
    }
}

/// Every API served and the versions that clients are told, by key.
#[must_use]
pub fn advertised(versions: Versions) -> Vec<ApiVersion> {
    let mut served: Vec<ApiVersion> = ROUTES
        .iter()
        .map(|route| {
            let told = versions.of(route, &route.advertised);
            ApiVersion {
                api_key: route.key.number(),
                min_version: *told.start(),
                max_version: *told.end(),
            }
        })
        .collect();
    served.sort_by_key(|api| api.api_key);
    served
}

/// What a client hears that asked in a version of ApiVersions which is not served: the ones that
/// are, in the one form that every client can read (KIP-511).
fn which_versions(correlation_id: i32) -> Started {
    let own = |api: &ApiVersion| api.api_key == ApiKey::ApiVersions.number();
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion,
        api_keys: advertised(Versions::Stable).into_iter().filter(own).collect(),
        ..ApiVersionsResponse::default()
    };
    match route::encode(&response, ApiVersionsResponse::KEY, 0, correlation_id) {
        Ok(frame) => Started::Answered(frame),
        Err(refusal) => Started::Refused(refusal),
    }
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answering(_) => f.write_str("Answering"),
            Self::Answered(frame) => f.debug_tuple("Answered").field(frame).finish(),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_stands_in_the_table_once() {
        let keys: Vec<i16> = advertised(Versions::Stable).iter().map(|api| api.api_key).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    }
}
