//! Access rules, credentials, tokens and quotas.

use bytes::Bytes;

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    id 18, versions 0, flexible 0+, AccessControlEntryRecord;

    /// An access rule was added.
    struct AccessControlEntryRecord {
        0+ id: Uuid,
        0+ resource_type: i8,
        0+ resource_name: Str,
        0+ pattern_type: i8,
        0+ principal: Str,
        0+ host: Str,
        0+ operation: i8,
        0+ permission_type: i8,
    }
}

record! {
    id 19, versions 0, flexible 0+, RemoveAccessControlEntryRecord;

    /// An access rule was deleted.
    struct RemoveAccessControlEntryRecord {
        0+ id: Uuid,
    }
}

record! {
    id 11, versions 0, flexible 0+, UserScramCredentialRecord;

    /// A SCRAM credential was set.
    struct UserScramCredentialRecord {
        0+ name: Str,
        0+ mechanism: i8,
        0+ salt: Bytes,
        0+ stored_key: Bytes,
        0+ server_key: Bytes,
        0+ iterations: i32,
    }
}

record! {
    id 22, versions 0, flexible 0+, RemoveUserScramCredentialRecord;

    /// A SCRAM credential was deleted.
    struct RemoveUserScramCredentialRecord {
        0+ name: Str,
        0+ mechanism: i8,
    }
}

record! {
    id 10, versions 0, flexible 0+, DelegationTokenRecord;

    /// A delegation token was made or changed.
    struct DelegationTokenRecord {
        0+ owner: Str,
        0+ requester: Str,
        0+ renewers: Vec<Str>,
        0+ issue_timestamp: i64,
        0+ max_timestamp: i64,
        0+ expiration_timestamp: i64,
        0+ token_id: Str,
    }
}

record! {
    id 26, versions 0, flexible 0+, RemoveDelegationTokenRecord;

    /// A delegation token was deleted.
    struct RemoveDelegationTokenRecord {
        0+ token_id: Str,
    }
}

record! {
    id 14, versions 0, flexible 0+, ClientQuotaRecord;

    /// A quota was set or removed.
    struct ClientQuotaRecord {
        0+ entity: Vec<EntityData>,
        0+ key: Str,
        0+ value: f64,
        0+ remove: bool,
    }

    struct EntityData {
        0+ entity_type: Str,
        0+ entity_name: Option<Str>,
    }
}
