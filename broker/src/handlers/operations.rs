//! What a client may do with a resource, as the bit field of KIP-430. There are no access rules
//! yet: everybody may do whatever the resource knows.

/// Read, write, create, delete, alter, describe, describe and alter configs.
pub(super) const TOPIC: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// Read, delete, describe, describe and alter configs.
pub(super) const GROUP: i32 = bits(&[3, 6, 8, 10, 11]);
/// Create, alter, describe, cluster action, describe and alter configs, idempotent write.
pub(super) const CLUSTER: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[i32]) -> i32 {
    let mut field = 0;
    let mut rest = operations;
    while let [operation, others @ ..] = rest {
        field |= 1 << *operation;
        rest = others;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_kafkas() {
        assert_eq!((TOPIC, GROUP, CLUSTER), (3576, 3400, 8096));
    }
}
