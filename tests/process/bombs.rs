//! Batches that are small as they come and huge once inflated.

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    compression::{Codec, compress},
};
use milena_tests::data::{batch, create, fetch, produce, values};
use tempfile::TempDir;

use crate::program;

#[test]
fn a_bomb_of_any_codec_takes_bounded_memory_and_is_refused() {
    let directory = TempDir::new().unwrap();
    let broker = program().start(&directory.path().join("data"), &[]);
    let mut client = broker.connect();
    // What comes has to be inflated, to be stored in the other form.
    create(&mut client, "t", 1, &[("compression.type", "uncompressed"), ("retention.ms", "-1")]);
    assert_eq!(produce(&mut client, "t", 0, batch(&["a"])).error_code, ErrorCode::None);
    let before = broker.resident_bytes();
    for (codec, body) in bombs() {
        assert!(body.len() < 1_000_000, "{codec:?} is {} bytes", body.len());
        let code = produce(&mut client, "t", 0, with_body(codec, &body)).error_code;
        let refusals = [ErrorCode::MessageTooLarge, ErrorCode::CorruptMessage];
        assert!(refusals.contains(&code), "{codec:?}: {code:?}");
        let most = broker.peak_resident_bytes() - before;
        println!("{codec:?}: {} bytes, {code:?}, at most {most} bytes of memory", body.len());
        assert!(most <= INFLATED_BYTES_MAX + SLACK_BYTES, "{codec:?}: {most} bytes");
    }
    let left = broker.resident_bytes().saturating_sub(before);
    assert!(left <= SLACK_BYTES, "{left} bytes are not given back");
    assert_eq!(produce(&mut client, "t", 0, batch(&["b"])).base_offset, 1);
    assert_eq!(values(&fetch(&mut client, "t", 0, 1)), [(1, "b".into())]);
}

/// A batch that says its records are `body`.
fn with_body(codec: Codec, body: &[u8]) -> Bytes {
    let mut bytes = batch(&["x"]).to_vec();
    bytes.truncate(61);
    bytes.extend_from_slice(body);
    let length = i32::try_from(bytes.len() - 12).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[22] = codec.id();
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

fn bombs() -> Vec<(Codec, Vec<u8>)> {
    let zeros = vec![0; 1 << 20];
    // As much as deflate can shrink anything.
    let gzip = compress(Codec::Gzip.into(), &zeros.repeat(10)).unwrap().to_vec();

    // Between header and end mark are blocks, any number of them: 240 megabytes.
    let lz4 = compress(Codec::Lz4.into(), &zeros).unwrap();
    let (header, rest) = lz4.split_at(7);
    let (blocks, end) = rest.split_at(rest.len() - 4);
    let lz4 = [header, &blocks.repeat(950_000 / blocks.len()), end].concat();

    // The most that a block of Snappy can claim to be.
    let snappy = [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0; 1_000]].concat();

    // A frame with a window of 8 MB and blocks of 128 KB, each four bytes long: 10 gigabytes.
    let block = [&[0x02, 0x00, 0x10][..], &[0]].concat();
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68][..], &block.repeat(81_920)].concat();
    let last_block = [0x01, 0x00, 0x00];
    let zstd = [&zstd[..], &last_block].concat();
    vec![(Codec::Gzip, gzip), (Codec::Lz4, lz4), (Codec::Snappy, snappy), (Codec::Zstd, zstd)]
}

/// What the broker inflates of one batch at most.
const INFLATED_BYTES_MAX: u64 = 128 << 20;
const SLACK_BYTES: u64 = 64 << 20;
