//! Record batches of about 1 MB: check, read, build, compress, stamp. `cargo bench -p
//! milena-protocol --bench records`; throughput is of uncompressed bytes.

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use milena_protocol::{
    LeaderEpoch, Offset, Timestamp,
    compression::{Codec, Compression, InflateLimit, compress, decompress},
    records::{Batch, BatchBuilder, HEADER_BYTES, HeaderPatch},
};

fn main() {
    divan::main();
}

#[divan::bench(args = RECORD_BYTES)]
fn verify(bencher: Bencher<'_, '_>, record_bytes: usize) {
    let bytes = batch(Codec::None, record_bytes);
    bencher
        .counter(BytesCount::new(bytes.len()))
        .bench_local(|| Batch::split(&mut black_box(&bytes).clone()));
}

#[divan::bench(args = RECORD_BYTES)]
fn iterate(bencher: Bencher<'_, '_>, record_bytes: usize) {
    let batch = checked(batch(Codec::None, record_bytes));
    bencher.counter(BytesCount::new(batch.size())).bench_local(|| drain(black_box(&batch)));
}

#[divan::bench(args = RECORD_BYTES)]
fn build(bencher: Bencher<'_, '_>, record_bytes: usize) {
    let text = text();
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| batch_of(Codec::None, black_box(&text), record_bytes));
}

#[divan::bench(args = CODECS)]
fn compress_records(bencher: Bencher<'_, '_>, codec: Codec) {
    let plain = batch(Codec::None, 1000).slice(HEADER_BYTES..);
    bencher
        .counter(BytesCount::new(plain.len()))
        .bench_local(|| compress(Compression::from(codec), black_box(&plain)));
}

#[divan::bench(args = CODECS)]
fn inflate_records(bencher: Bencher<'_, '_>, codec: Codec) {
    let plain = batch(Codec::None, 1000).slice(HEADER_BYTES..);
    let compressed = checked(batch(codec, 1000)).body();
    bencher
        .counter(BytesCount::new(plain.len()))
        .bench_local(|| decompress(codec, black_box(&compressed), InflateLimit::default()));
}

#[divan::bench]
fn stamp_append_time(bencher: Bencher<'_, '_>) {
    let batch = checked(batch(Codec::None, 1000));
    let patch = HeaderPatch {
        base_offset: Offset(7),
        leader_epoch: LeaderEpoch(3),
        log_append_time: Some(Timestamp(1)),
    };
    bencher.bench_local(|| black_box(patch).apply(black_box(&batch)));
}

fn drain(batch: &Batch) -> usize {
    batch
        .records(InflateLimit::default())
        .map_or(0, |records| records.filter(Result::is_ok).count())
}

fn checked(mut bytes: Bytes) -> Batch {
    Batch::split(&mut bytes).expect("a batch just built is whole")
}

fn batch(codec: Codec, record_bytes: usize) -> Bytes {
    batch_of(codec, &text(), record_bytes)
}

fn batch_of(codec: Codec, text: &[u8], record_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    for value in text.chunks(record_bytes) {
        builder.append(Timestamp(1_000), None, Some(value), &[]).expect("far from any limit");
    }
    builder.build().expect("it holds records")
}

/// What applications log, about [`BATCH_BYTES`] of it.
fn text() -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| format!("{{\"user\":{},\"page\":{}}} ", n * 7919 % 5003, n % 97).into_bytes())
        .take(BATCH_BYTES)
        .collect()
}

const BATCH_BYTES: usize = 1 << 20;
const RECORD_BYTES: [usize; 2] = [100, 1000];
const CODECS: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
