//! What transactions hold up here, for whoever watches the broker.

use milena_protocol::Timestamp;

use super::Replicas;
use crate::metrics::{Gauge, Registry, names};

/// Counted now and then: a checkpoint is often enough for what lasts.
#[derive(Debug)]
pub(super) struct TransactionGauges {
    producers: Gauge,
    open: Gauge,
    oldest_ms: Gauge,
    hidden: Gauge,
}

impl TransactionGauges {
    pub(super) fn new(metrics: &Registry) -> Self {
        Self {
            producers: metrics.gauge(&names::PRODUCER_IDS),
            open: metrics.gauge(&names::PARTITION_OPEN_TRANSACTIONS),
            oldest_ms: metrics.gauge(&names::LAST_STABLE_OFFSET_AGE),
            hidden: metrics.gauge(&names::LAST_STABLE_OFFSET_LAG),
        }
    }
}

impl Replicas {
    pub(super) fn count_transactions(&self, now: Timestamp) {
        let (mut producers, mut open, mut oldest, mut hidden) = (0, 0, now.0, 0);
        for partition in self.partitions() {
            let census = partition.log().census();
            producers += census.producers;
            open += census.open;
            oldest = census.oldest.map_or(oldest, |since| oldest.min(since.0));
            // The high watermark first: both only rise.
            let high_watermark = partition.high_watermark();
            hidden += (high_watermark.0 - partition.last_stable_offset().0).max(0);
        }
        let gauges = &self.transactions;
        gauges.producers.set(i64::try_from(producers).unwrap_or(i64::MAX));
        gauges.open.set(i64::try_from(open).unwrap_or(i64::MAX));
        gauges.oldest_ms.set(now.0 - oldest);
        gauges.hidden.set(hidden);
    }
}
