//! The tables that messages and records are written as.
//!
//! A field reads as in Kafka's schemas: the versions that have it (`0+`, `7-12`, `3-3` for one),
//! its name, its type, and its default if that is not zero, empty or null. `where null 7+` says
//! that it may be null only in those versions; where it may not, nothing is written as empty.
//! Tagged fields are a block of their own, as they are on the wire. A nullable field whose default
//! the schema leaves open is null here and empty in Kafka's own classes.
//!
//! ```text
//! api! {
//!     key 1, versions 4-18, flexible 12+, FetchRequest => FetchResponse;
//!
//!     /// What it is for.
//!     struct FetchRequest {
//!         0-14 replica_id: i32 = -1,
//!         7+   forgotten_topics_data: Vec<ForgottenTopic>,
//!     } tagged {
//!         0 => 12+ cluster_id: Option<Str>,
//!     }
//! }
//! ```

/// A request, its response, and the structures inside them. `unstable 6` after the versions says
/// that the codec knows them up to 6 while no broker may advertise those above.
macro_rules! api {
    (
        key $key:literal, versions $low:literal $(- $high:literal)?, $(unstable $unstable:literal,)?
        flexible $($first:literal +)? $(none)?, $request:ident => $response:ident;
        $($structs:tt)*
    ) => {
        impl $crate::wire::Request for $request {
            type Response = $response;
        }

        $crate::wire::api! { @message $request, $key, $low, [$($high)?], [$($unstable)?], [$($first)?] }
        $crate::wire::api! { @message $response, $key, $low, [$($high)?], [$($unstable)?], [$($first)?] }
        $crate::wire::structs! { $($structs)* }
    };
    (
        @message $name:ident, $key:literal, $low:literal,
        [$($high:literal)?], [$($unstable:literal)?], [$($first:literal)?]
    ) => {
        impl $crate::wire::Message for $name {
            const NAME: &'static str = stringify!($name);
            const KEY: $crate::messages::ApiKey = $crate::messages::ApiKey::known($key);
            const VERSIONS: ::std::ops::RangeInclusive<i16> =
                $low..=$crate::wire::api!(@last $low $($high)?);
            const KNOWN_VERSIONS: ::std::ops::RangeInclusive<i16> =
                $low..=$crate::wire::api!(@last $low $($high)? $($unstable)?);
            const FLEXIBLE: Option<i16> = $crate::wire::api!(@first $($first)?);
        }
    };
    (@last $last:literal) => { $last };
    (@last $low:literal $($rest:literal)+) => { $crate::wire::api!(@last $($rest)+) };
    (@first) => { None };
    (@first $first:literal) => { Some($first) };
}

/// A stored structure and those inside it; the first one named is the record itself.
macro_rules! record {
    (
        $(id $id:literal,)? versions $low:literal $(- $high:literal)?,
        flexible $($first:literal +)? $(none)?, $record:ident;
        $($structs:tt)*
    ) => {
        impl $crate::wire::Record for $record {
            const NAME: &'static str = stringify!($record);
            const ID: Option<i16> = $crate::wire::api!(@first $($id)?);
            const VERSIONS: ::std::ops::RangeInclusive<i16> =
                $low..=$crate::wire::api!(@last $low $($high)?);
            const FLEXIBLE: Option<i16> = $crate::wire::api!(@first $($first)?);
        }

        $crate::wire::structs! { $($structs)* }
    };
}

/// Structures: the types themselves, their defaults, their codec.
macro_rules! structs {
    ($(
        $(#[$about:meta])*
        struct $name:ident {
            $($low:literal $(- $high:literal)? $(+)? $field:ident: $kind:ty
                $(where null $null_low:literal $(- $null_high:literal)? $(+)?)?
                $(= $default:expr)?,)*
        } $(tagged {
            $($tag:literal => $tag_low:literal $(- $tag_high:literal)? $(+)?
                $tag_field:ident: $tag_kind:ty $(= $tag_default:expr)?,)*
        })?
    )*) => { $(
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(pub $field: $kind,)*
            $($(pub $tag_field: $tag_kind,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $crate::wire::or_default!($($default)?),)*
                    $($($tag_field: $crate::wire::or_default!($($tag_default)?),)*)?
                }
            }
        }

        impl $crate::wire::Wire for $name {
            fn decode(
                src: &mut ::bytes::Bytes,
                v: $crate::wire::Version,
            ) -> Result<Self, $crate::wire::Malformed> {
                $(let $field: $kind = if $crate::wire::covers!(v, $low $(- $high)?) {
                    $crate::wire::read_field!(src, v $(, null $null_low $(- $null_high)?)?)
                } else {
                    $crate::wire::or_default!($($default)?)
                };)*
                $($(let mut $tag_field: $tag_kind = $crate::wire::or_default!($($tag_default)?);)*)?
                if v.flexible {
                    let mut section = $crate::wire::tagged::Section::open(src)?;
                    while let Some((tag, field)) = section.next(src)? {
                        match tag {
                            $($($tag if $crate::wire::covers!(v, $tag_low $(- $tag_high)?) => {
                                $tag_field = field.read(v)?;
                            })*)?
                            _ => field.skip(),
                        }
                    }
                }
                Ok(Self { $($field,)* $($($tag_field,)*)? })
            }

            fn encode(&self, dst: &mut $crate::wire::FrameWriter, v: $crate::wire::Version) {
                $(if $crate::wire::covers!(v, $low $(- $high)?) {
                    $crate::wire::write_field!(
                        self.$field, dst, v $(, null $null_low $(- $null_high)?)?
                    );
                })*
                if v.flexible {
                    $($(let $tag_field = $crate::wire::covers!(v, $tag_low $(- $tag_high)?)
                        && {
                            let default: $tag_kind = $crate::wire::or_default!($($tag_default)?);
                            self.$tag_field != default
                        };)*)?
                    $crate::wire::varint::write(dst, 0 $($(+ u32::from($tag_field))*)?);
                    $($(if $tag_field {
                        $crate::wire::tagged::write(dst, $tag, &self.$tag_field, v);
                    })*)?
                }
            }
        }

        /// Where it may be null, a byte before it says whether it is there.
        impl $crate::wire::Nullable for $name {
            fn decode_nullable(
                src: &mut ::bytes::Bytes,
                v: $crate::wire::Version,
            ) -> Result<Option<Self>, $crate::wire::Malformed> {
                let there = <i8 as $crate::wire::Wire>::decode(src, v)? >= 0;
                there.then(|| $crate::wire::Wire::decode(src, v)).transpose()
            }

            fn encode_nullable(
                value: Option<&Self>,
                dst: &mut $crate::wire::FrameWriter,
                v: $crate::wire::Version,
            ) {
                $crate::wire::Wire::encode(&if value.is_some() { 1_i8 } else { -1 }, dst, v);
                if let Some(value) = value {
                    $crate::wire::Wire::encode(value, dst, v);
                }
            }
        }

        #[cfg(test)]
        impl $crate::wire::arbitrary::Arbitrary for $name {
            fn arbitrary(
                seed: &mut $crate::wire::arbitrary::Seed,
                v: $crate::wire::Version,
            ) -> Self {
                // A structure without fields uses neither.
                let _ = (seed.draw(), v);
                $(let $field = if $crate::wire::covers!(v, $low $(- $high)?) {
                    $crate::wire::arbitrary::field!(
                        seed, v $(, null $null_low $(- $null_high)?)?
                    )
                } else {
                    $crate::wire::or_default!($($default)?)
                };)*
                $($(let $tag_field = if v.flexible
                    && $crate::wire::covers!(v, $tag_low $(- $tag_high)?)
                {
                    $crate::wire::arbitrary::Arbitrary::arbitrary(seed, v)
                } else {
                    $crate::wire::or_default!($($tag_default)?)
                };)*)?
                Self { $($field,)* $($($tag_field,)*)? }
            }
        }
    )* };
}

/// Whether a version is one of those that have a field.
macro_rules! covers {
    ($v:expr, $low:literal) => {
        $v.number >= $low
    };
    ($v:expr, $low:literal - $high:literal) => {
        ($low..=$high).contains(&$v.number)
    };
}

macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

macro_rules! read_field {
    ($src:expr, $v:expr) => {
        $crate::wire::Wire::decode($src, $v)?
    };
    ($src:expr, $v:expr, null $low:literal $(- $high:literal)?) => {
        $crate::wire::decode_nullable_when($crate::wire::covers!($v, $low $(- $high)?), $src, $v)?
    };
}

macro_rules! write_field {
    ($value:expr, $dst:expr, $v:expr) => {
        $crate::wire::Wire::encode(&$value, $dst, $v)
    };
    ($value:expr, $dst:expr, $v:expr, null $low:literal $(- $high:literal)?) => {
        $crate::wire::encode_nullable_when(
            $value.as_ref(), $crate::wire::covers!($v, $low $(- $high)?), $dst, $v,
        )
    };
}

pub(crate) use {api, covers, or_default, read_field, record, structs, write_field};
