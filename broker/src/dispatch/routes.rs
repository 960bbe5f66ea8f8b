//! The table of all APIs: what is served is what stands here.

use milena_protocol::{
    messages::ApiVersionsRequest,
    wire::{Message, Request},
};

use super::route::routes;
use crate::handlers;

routes! {
    ApiVersionsRequest => handlers::cluster::api_versions;
}
