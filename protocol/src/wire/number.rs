//! Values of a fixed size.

use bytes::{Buf, BufMut, Bytes};

use super::{FrameWriter, Malformed, Version, Wire};
use crate::{ErrorCode, Uuid};

macro_rules! numbers {
    ($($number:ty: $get:ident, $put:ident;)*) => { $(
        impl Wire for $number {
            fn decode(src: &mut Bytes, _: Version) -> Result<Self, Malformed> {
                Ok(src.$get()?)
            }

            fn encode(&self, dst: &mut FrameWriter, _: Version) {
                dst.buf().$put(*self);
            }
        }
    )* };
}

numbers! {
    i8: try_get_i8, put_i8;
    i16: try_get_i16, put_i16;
    u16: try_get_u16, put_u16;
    i32: try_get_i32, put_i32;
    i64: try_get_i64, put_i64;
    f64: try_get_f64, put_f64;
}

/// One byte; any value but zero is true.
impl Wire for bool {
    fn decode(src: &mut Bytes, _: Version) -> Result<Self, Malformed> {
        Ok(src.try_get_u8()? != 0)
    }

    fn encode(&self, dst: &mut FrameWriter, _: Version) {
        dst.buf().put_u8(u8::from(*self));
    }
}

/// Sixteen bytes.
impl Wire for Uuid {
    fn decode(src: &mut Bytes, _: Version) -> Result<Self, Malformed> {
        Ok(Self(src.try_get_u128()?.to_be_bytes()))
    }

    fn encode(&self, dst: &mut FrameWriter, _: Version) {
        dst.put_slice(&self.0);
    }
}

/// Two bytes; a number that no code has becomes [`ErrorCode::UnknownServerError`].
impl Wire for ErrorCode {
    fn decode(src: &mut Bytes, _: Version) -> Result<Self, Malformed> {
        Ok(Self::from(src.try_get_i16()?))
    }

    fn encode(&self, dst: &mut FrameWriter, _: Version) {
        dst.buf().put_i16(self.number());
    }
}
