//! Every codec, each way, and against input that lies.

use super::*;

fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|at| b"the quick brown fox "[at % 20] ^ u8::from(at % 257 == 0)).collect()
}

fn packed(codec: Codec, plain: &[u8]) -> Bytes {
    compress(codec.into(), plain).unwrap()
}

#[test]
fn every_codec_restores_what_it_compressed() {
    for codec in Codec::ALL {
        for len in [0, 1, 20, 32 << 10, (64 << 10) + 1, 1 << 20] {
            let plain = sample(len);
            let restored = decompress(codec, &packed(codec, &plain), InflateLimit::default());
            assert_eq!(restored.as_deref(), Ok(&plain[..]), "{codec} {len}");
        }
    }
}

#[test]
fn every_level_restores_what_it_compressed() {
    let plain = sample(100_000);
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let levels = codec.levels().unwrap();
        for level in [*levels.start(), codec.default_level(), 1, 5, *levels.end()] {
            let compression = Compression::new(codec, level).unwrap();
            let compressed = compress(compression, &plain).unwrap();
            assert_eq!(decompress(codec, &compressed, InflateLimit::default()).unwrap(), plain);
        }
        let beyond = levels.end() + 1;
        let refused = CodecError::BadLevel { codec, level: beyond };
        assert_eq!(Compression::new(codec, beyond), Err(refused));
    }
    assert_eq!(
        Compression::new(Codec::Gzip, 0),
        Err(CodecError::BadLevel { codec: Codec::Gzip, level: 0 })
    );
}

#[test]
fn a_higher_level_compresses_better() {
    let line = |n: u32| format!("user {} read page {} of {}\n", n * 7919 % 5003, n % 97, n % 13);
    let plain = (0..10_000).map(line).collect::<String>().into_bytes();
    for codec in [Codec::Gzip, Codec::Zstd] {
        let fast = compress(Compression::new(codec, 1).unwrap(), &plain).unwrap();
        let small = compress(Compression::new(codec, 9).unwrap(), &plain).unwrap();
        assert!(small.len() < fast.len(), "{codec}");
    }
}

#[test]
fn raw_snappy_is_read_too() {
    let plain = sample(100_000);
    let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
    assert_eq!(decompress(Codec::Snappy, &raw.into(), InflateLimit::default()).unwrap(), plain);
}

#[test]
fn concatenated_gzip_members_and_zstd_frames_are_one_stream() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let twice = [packed(codec, b"one "), packed(codec, b"two")].concat();
        let restored = decompress(codec, &twice.into(), InflateLimit::default());
        assert_eq!(restored.unwrap(), &b"one two"[..]);
    }
}

#[test]
fn a_bomb_of_any_codec_is_an_error_that_names_codec_and_limit() {
    let zeros = vec![0; 2 << 20];
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bomb = packed(codec, &zeros);
        let limit = InflateLimit { bytes_max: 1 << 20, ratio_max: usize::MAX };
        let error = decompress(codec, &bomb, limit).unwrap_err();
        let expected = CodecError::TooLarge { codec, compressed: bomb.len(), allowed: 1 << 20 };
        assert_eq!(error, expected);
        assert!(error.to_string().contains(codec.name()));
        assert!(error.to_string().contains("1048576"));
    }
}

#[test]
fn the_ratio_counts_only_beyond_what_is_harmless() {
    let limit = InflateLimit { bytes_max: usize::MAX, ratio_max: 10 };
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let harmless = packed(codec, &vec![0; RATIO_FREE_BYTES]);
        assert!(decompress(codec, &harmless, limit).is_ok());
        let bomb = packed(codec, &vec![0; RATIO_FREE_BYTES + 1]);
        assert!(matches!(decompress(codec, &bomb, limit), Err(CodecError::TooLarge { .. })));
    }
}

#[test]
fn a_gigabyte_in_a_megabyte_costs_only_the_limit() {
    let member = packed(Codec::Gzip, &vec![0; 1 << 20]);
    let bomb = Bytes::from(member.repeat(1024));
    let limit = InflateLimit { bytes_max: 4 << 20, ..InflateLimit::default() };
    let error = decompress(Codec::Gzip, &bomb, limit).unwrap_err();
    let (compressed, allowed) = (bomb.len(), limit.bytes_max);
    assert!(compressed < 2 << 20);
    assert_eq!(error, CodecError::TooLarge { codec: Codec::Gzip, compressed, allowed });
}

#[test]
fn a_snappy_chunk_that_claims_four_gigabytes_takes_no_memory() {
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    let mut framed = packed(Codec::Snappy, b"").to_vec();
    framed.extend_from_slice(&[0, 0, 0, 6]);
    framed.extend_from_slice(&claim);
    for bomb in [claim.to_vec(), framed] {
        let error = decompress(Codec::Snappy, &bomb.into(), InflateLimit::default()).unwrap_err();
        assert!(matches!(error, CodecError::TooLarge { codec: Codec::Snappy, .. }), "{error}");
    }
}

#[test]
fn every_truncation_is_an_error_or_shorter() {
    let plain = sample(300);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let whole = packed(codec, &plain);
        for cut in 0..whole.len() {
            let restored = decompress(codec, &whole.slice(..cut), InflateLimit::default());
            // An empty stream, or a snappy stream cut between chunks, is a whole one.
            assert!(restored.is_err() || restored.unwrap().is_empty(), "{codec} cut at {cut}");
        }
    }
}

#[test]
fn lz4_refuses_bytes_after_the_frame() {
    let mut long = packed(Codec::Lz4, b"frame").to_vec();
    long.push(0);
    let error = decompress(Codec::Lz4, &long.into(), InflateLimit::default()).unwrap_err();
    assert!(matches!(error, CodecError::Corrupt { codec: Codec::Lz4, .. }));
}

#[test]
fn a_flipped_bit_never_panics() {
    let plain = sample(300);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let whole = packed(codec, &plain);
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = decompress(codec, &damaged.into(), InflateLimit::default());
        }
    }
}

#[test]
fn names_and_ids_are_kafkas() {
    let names: Vec<_> = Codec::ALL.iter().map(|codec| (codec.id(), codec.name())).collect();
    assert_eq!(names, [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")]);
    assert_eq!(Codec::from_name("zstd"), Some(Codec::Zstd));
    assert_eq!(Codec::from_name("brotli"), None);
    assert_eq!(Codec::from_id(5), Err(CodecError::Unknown { id: 5 }));
}
