//! Which partition of its topic a coordinated thing lives in.

/// The partition, of so many, that holds what is called `id`.
///
/// Kafka's own choice, so that its tools find the records: Java's hash of the id's UTF-16.
#[must_use]
pub fn partition_of(id: &str, partitions: i32) -> i32 {
    let hash = id.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit.cast_signed()) & 0xffff)
    });
    // The absolute value of the least number is not one; Kafka takes zero for it.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_live_where_kafka_puts_them() {
        // "polygenelubricants" hashes to the least number; the others are abs(hashCode) % 50.
        for (id, partition) in [("", 0), ("a", 47), ("group", 47), ("polygenelubricants", 0)] {
            assert_eq!(partition_of(id, 50), partition, "{id}");
        }
    }
}
