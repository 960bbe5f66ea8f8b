//! Records of `__share_group_state` (KIP-932): the delivery state of share partitions.

use crate::{
    Uuid,
    wire::{Str, record},
};

record! {
    id 0, versions 0, flexible none, ShareSnapshotKey;

    /// Names the whole state of a share partition.
    struct ShareSnapshotKey {
        0+ group_id: Str,
        0+ topic_id: Uuid,
        0+ partition: i32,
    }
}

record! {
    id 0, versions 0, flexible 0+, ShareSnapshotValue;

    /// The whole state of a share partition.
    struct ShareSnapshotValue {
        0+ snapshot_epoch: i32,
        0+ state_epoch: i32,
        0+ leader_epoch: i32,
        0+ start_offset: i64,
        0+ create_timestamp: i64,
        0+ write_timestamp: i64,
        0+ state_batches: Vec<StateBatch>,
    } tagged {
        0 => 0+ delivery_complete_count: i32 = -1,
    }

    struct StateBatch {
        0+ first_offset: i64,
        0+ last_offset: i64,
        0+ delivery_state: i8,
        0+ delivery_count: i16,
    }
}

record! {
    id 1, versions 0, flexible none, ShareUpdateKey;

    /// Names a change to the state of a share partition.
    struct ShareUpdateKey {
        0+ group_id: Str,
        0+ topic_id: Uuid,
        0+ partition: i32,
    }
}

record! {
    id 1, versions 0, flexible 0+, ShareUpdateValue;

    /// A change to the state of a share partition, to be applied to the last snapshot.
    struct ShareUpdateValue {
        0+ snapshot_epoch: i32,
        0+ leader_epoch: i32,
        0+ start_offset: i64,
        0+ state_batches: Vec<StateBatch>,
    } tagged {
        0 => 0+ delivery_complete_count: i32 = -1,
    }
}

super::keys! {
    /// What a record of the topic is about.
    ShareKey {
        Snapshot(ShareSnapshotKey),
        Update(ShareUpdateKey),
    }
}
