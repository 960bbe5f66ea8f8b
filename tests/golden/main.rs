//! Frames that real clients and Apache Kafka exchanged: each is understood to its last byte, and
//! written again the same.
//!
//! A frame is a file `<family>/<api>_v<version>_<client>.{request,response}.hex`: a line that says
//! who wrote it (`# client version`), then the frame, without the length in front, in hexadecimal.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "reads its own fixtures"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use milena_protocol::{
    for_each_api,
    messages::{self, ApiKey},
    wire::{
        FrameWriter, Malformed, Message,
        header::{RequestHeader, ResponseHeader},
    },
};

#[test]
fn every_frame_is_written_as_it_was_read() {
    let frames = frames();
    assert!(frames.len() >= FRAMES_MIN, "only {} frames are there", frames.len());
    let wrong: Vec<_> = frames.iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), frames.len(), wrong.join("\n"));
}

/// One captured frame.
struct Golden {
    /// Family and file, as in `data/fetch_v12_java.request.hex`.
    path: String,
    key: ApiKey,
    version: i16,
    is_request: bool,
    bytes: Bytes,
}

fn frames() -> Vec<Golden> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut frames: Vec<_> = files_below(&root)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            golden(name, &fs::read_to_string(&path).unwrap())
        })
        .collect();
    frames.sort_by(|one, two| one.path.cmp(&two.path));
    frames
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn golden(path: String, text: &str) -> Golden {
    let (_, file) = path.split_once('/').unwrap();
    let (stem, kind) = file.trim_end_matches(".hex").rsplit_once('.').unwrap();
    let (api, version) = api_and_version(stem).unwrap_or_else(|| panic!("{path} has no version"));
    let key = ApiKey::ALL.iter().find(|key| snake(key.name()) == api);
    let digits = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::chars);
    let digits: Vec<_> = digits.filter_map(|digit| digit.to_digit(16)).collect();
    Golden {
        key: *key.unwrap_or_else(|| panic!("{path} is of no known API")),
        version,
        is_request: kind == "request",
        bytes: digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect(),
        path,
    }
}

/// `api_versions` and 3 of `api_versions_v3_java`.
fn api_and_version(stem: &str) -> Option<(&str, i16)> {
    stem.match_indices("_v").find_map(|(at, mark)| {
        let (version, _client) = stem[at + mark.len()..].split_once('_')?;
        Some((&stem[..at], version.parse().ok()?))
    })
}

/// `OffsetForLeaderEpoch` as a file name has it.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// What is wrong with how a frame is read and written, if anything.
fn complaint(golden: &Golden) -> Option<String> {
    match again(golden) {
        Err(refused) => Some(format!("{} {refused}", golden.path)),
        Ok(bytes) if bytes == golden.bytes => None,
        Ok(bytes) => {
            let at = bytes.iter().zip(&golden.bytes).take_while(|(one, two)| one == two).count();
            Some(format!(
                "{} differs from byte {at} on:\n  read  {:02x?}\n  wrote {:02x?}",
                golden.path,
                &golden.bytes[at..],
                &bytes[at..]
            ))
        }
    }
}

fn again(golden: &Golden) -> Result<Bytes, Malformed> {
    let mut src = golden.bytes.clone();
    let mut dst = FrameWriter::new();
    if golden.is_request {
        let header = RequestHeader::decode(&mut src)?;
        assert_eq!((header.api_key, header.api_version), (golden.key.number(), golden.version));
        header.encode(&mut dst);
    } else {
        let header = ResponseHeader::decode(&mut src, golden.key, golden.version)?;
        header.encode(&mut dst, golden.key, golden.version);
    }
    body_again(golden, src, &mut dst)?;
    Ok(dst.into_bytes())
}

macro_rules! body_again {
    ($($key:literal $name:ident: $request:ident, $response:ident;)*) => {
        fn body_again(
            golden: &Golden,
            src: Bytes,
            dst: &mut FrameWriter,
        ) -> Result<(), Malformed> {
            match (golden.key, golden.is_request) {
                $(
                    (ApiKey::$name, true) => pass::<messages::$request>(src, golden.version, dst),
                    (ApiKey::$name, false) => pass::<messages::$response>(src, golden.version, dst),
                )*
            }
        }
    };
}

for_each_api!(body_again);

fn pass<M: Message>(src: Bytes, version: i16, dst: &mut FrameWriter) -> Result<(), Malformed> {
    M::decode_body(src, version)?.encode(dst, M::version(version));
    Ok(())
}

/// Guards against fixtures that are not found.
const FRAMES_MIN: usize = 300;
