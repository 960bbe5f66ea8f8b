//! Settings as the wire numbers them.

use crate::config::{Kind, Source};

pub(super) const fn source_number(source: Source) -> i8 {
    match source {
        Source::Topic => 1,
        Source::Node => 2,
        Source::Cluster => 3,
        Source::File => 4,
        Source::Default => 5,
        Source::Group => 8,
    }
}

pub(super) const fn kind_number(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::String => 2,
        Kind::Int => 3,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
    }
}
