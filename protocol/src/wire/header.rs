//! What stands before the body of every frame.
//!
//! By hand, because of two exceptions: the client id is never compact, and the answer to
//! ApiVersions has no tagged fields in any version, so that a client which asks in a version the
//! broker does not know can still read it (KIP-511).

use bytes::Bytes;

use super::{FrameWriter, Malformed, Str, Version, Wire, tagged, varint};
use crate::messages::ApiKey;

/// | bytes | field          | meaning                                           |
/// |-------|----------------|---------------------------------------------------|
/// | 0..2  | api key        | which API                                         |
/// | 2..4  | api version    | which form of it                                  |
/// | 4..8  | correlation id | comes back with the answer                        |
/// | 8..   | client id      | i16 length, text; -1 for none                     |
/// |       | tagged fields  | in header version 2 only                          |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<Str>,
}

impl RequestHeader {
    /// Takes the header off the front of a frame. What it names need not be known: of an unknown
    /// API only the part that all header versions share is read.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(src: &mut Bytes) -> Result<Self, Malformed> {
        let header = Self {
            api_key: i16::decode(src, CLASSIC)?,
            api_version: i16::decode(src, CLASSIC)?,
            correlation_id: i32::decode(src, CLASSIC)?,
            client_id: Option::decode(src, CLASSIC)?,
        };
        if header.version() >= Some(2) {
            tagged::skip(src)?;
        }
        Ok(header)
    }

    pub fn encode(&self, dst: &mut FrameWriter) {
        self.api_key.encode(dst, CLASSIC);
        self.api_version.encode(dst, CLASSIC);
        self.correlation_id.encode(dst, CLASSIC);
        self.client_id.encode(dst, CLASSIC);
        if self.version() >= Some(2) {
            varint::write(dst, 0);
        }
    }

    fn version(&self) -> Option<i16> {
        let key = ApiKey::try_from(self.api_key).ok()?;
        Some(request_header_version(key, self.api_version))
    }
}

/// | bytes | field          | meaning                                           |
/// |-------|----------------|---------------------------------------------------|
/// | 0..4  | correlation id | of the request that this answers                  |
/// | 4..   | tagged fields  | in header version 1 only                          |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponseHeader {
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(src: &mut Bytes, key: ApiKey, api_version: i16) -> Result<Self, Malformed> {
        let header = Self { correlation_id: i32::decode(src, CLASSIC)? };
        if response_header_version(key, api_version) >= 1 {
            tagged::skip(src)?;
        }
        Ok(header)
    }

    pub fn encode(self, dst: &mut FrameWriter, key: ApiKey, api_version: i16) {
        self.correlation_id.encode(dst, CLASSIC);
        if response_header_version(key, api_version) >= 1 {
            varint::write(dst, 0);
        }
    }
}

/// 2 where the API's version is flexible, else 1.
#[must_use]
pub fn request_header_version(key: ApiKey, api_version: i16) -> i16 {
    if Version::new(api_version, key.flexible_from()).flexible { 2 } else { 1 }
}

/// 1 where the API's version is flexible, else 0; always 0 for ApiVersions.
#[must_use]
pub fn response_header_version(key: ApiKey, api_version: i16) -> i16 {
    let flexible = Version::new(api_version, key.flexible_from()).flexible;
    i16::from(flexible && key != ApiKey::ApiVersions)
}

const CLASSIC: Version = Version { number: 0, flexible: false };

#[cfg(test)]
mod tests {
    use super::*;

    fn request(api_key: i16, api_version: i16) -> (RequestHeader, Bytes) {
        let client_id = Some(Str::from_static("me"));
        let header = RequestHeader { api_key, api_version, correlation_id: 7, client_id };
        let mut dst = FrameWriter::new();
        header.encode(&mut dst);
        (header, dst.into_bytes())
    }

    #[test]
    fn a_client_id_is_never_compact() {
        let (header, mut bytes) = request(3, 12);
        assert_eq!(bytes, [0, 3, 0, 12, 0, 0, 0, 7, 0, 2, b'm', b'e', 0].as_slice());
        assert_eq!(RequestHeader::decode(&mut bytes), Ok(header));
        assert!(bytes.is_empty());
    }

    #[test]
    fn tagged_fields_of_a_header_are_passed_over() {
        let (header, bytes) = request(3, 12);
        let mut tagged = bytes.slice(..bytes.len() - 1).to_vec();
        tagged.extend([1, 5, 2, 0xab, 0xcd]);
        let mut src = Bytes::from(tagged);
        assert_eq!(RequestHeader::decode(&mut src), Ok(header));
        assert!(src.is_empty());
    }

    #[test]
    fn an_unknown_api_leaves_its_body_unread() {
        let (header, mut bytes) = request(4, 0);
        assert_eq!(RequestHeader::decode(&mut bytes), Ok(header));
        let (header, bytes) = request(999, 99);
        let mut longer = Bytes::from([&bytes[..], b"body"].concat());
        assert_eq!(RequestHeader::decode(&mut longer), Ok(header));
        assert_eq!(longer, "body");
    }

    #[test]
    fn headers_are_flexible_with_their_api() {
        assert_eq!(request_header_version(ApiKey::Fetch, 11), 1);
        assert_eq!(request_header_version(ApiKey::Fetch, 12), 2);
        assert_eq!(response_header_version(ApiKey::Fetch, 11), 0);
        assert_eq!(response_header_version(ApiKey::Fetch, 12), 1);
        assert_eq!(request_header_version(ApiKey::SaslHandshake, 1), 1);
    }

    #[test]
    fn the_answer_to_api_versions_is_never_flexible() {
        assert_eq!(request_header_version(ApiKey::ApiVersions, 3), 2);
        assert_eq!(response_header_version(ApiKey::ApiVersions, 3), 0);
    }

    #[test]
    fn every_truncated_header_is_an_error() {
        let (_, bytes) = request(3, 12);
        for length in 0..bytes.len() {
            assert!(RequestHeader::decode(&mut bytes.slice(..length)).is_err());
        }
    }
}
