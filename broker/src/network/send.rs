//! How chunks leave by TCP: bytes gathered in one call, ranges of files by `sendfile`.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    os::fd::BorrowedFd,
};

use bytes::{Buf, Bytes, BytesMut};
use milena_protocol::wire::{Chunk, Range};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::{
    io::Interest,
    net::{TcpStream, tcp::OwnedWriteHalf},
};

use super::{Outgoing, spare};

impl Outgoing for OwnedWriteHalf {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> io::Result<usize> {
        let socket: &TcpStream = self.as_ref();
        let sent = match chunks.front().and_then(file_of) {
            Some((range, file)) => send_file(socket, range, file).await?,
            None => {
                let count = load(chunks)?;
                send_bytes(socket, chunks, count).await?
            }
        };
        consume(chunks, sent);
        Ok(sent)
    }
}

/// The file of a range that is not worth reading.
fn file_of(chunk: &Chunk) -> Option<(&Range, BorrowedFd<'_>)> {
    match chunk {
        Chunk::Range(range) if range.len >= SENDFILE_FROM_BYTES => {
            Some((range, range.source.fd()?))
        }
        Chunk::Range(_) | Chunk::Bytes(_) => None,
    }
}

/// Sends of a range what the socket takes, without reading it.
async fn send_file(socket: &TcpStream, range: &Range, file: BorrowedFd<'_>) -> io::Result<usize> {
    let send = || {
        let mut position = range.position;
        let count = range.len.min(SENDFILE_BYTES_MAX);
        Ok(rustix::fs::sendfile(socket, file, Some(&mut position), count)?)
    };
    match socket.async_io(Interest::WRITABLE, send).await? {
        // The file is shorter than it was: what was promised cannot be kept.
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        sent => Ok(sent),
    }
}

/// Sends of the first `count` chunks, which are in memory, what the socket takes.
async fn send_bytes(
    socket: &TcpStream,
    chunks: &VecDeque<Chunk>,
    count: usize,
) -> io::Result<usize> {
    let flags = more_if(chunks.len() > count);
    let send = || {
        let mut slices = [IoSlice::new(&[]); GATHERED_SLICES_MAX];
        let mut filled = 0;
        for (slice, chunk) in slices.iter_mut().zip(chunks.iter().take(count)) {
            if let Chunk::Bytes(bytes) = chunk {
                *slice = IoSlice::new(bytes);
            }
            filled += 1;
        }
        let slices = slices.get(..filled).unwrap_or_default();
        Ok(sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags)?)
    };
    socket.async_io(Interest::WRITABLE, send).await
}

/// Reads what of the front is small enough, and tells how many chunks are in memory then.
fn load(chunks: &mut VecDeque<Chunk>) -> io::Result<usize> {
    let mut loaded = 0;
    while loaded < GATHERED_SLICES_MAX
        && let Some(chunk) = chunks.get_mut(loaded)
        && file_of(chunk).is_none()
    {
        loaded += 1;
        if let Chunk::Range(range) = chunk {
            let bytes = Chunk::Bytes(read(range, range.len.min(READ_PIECE_BYTES))?);
            if range.len <= READ_PIECE_BYTES {
                *chunk = bytes;
            } else {
                skip(range, READ_PIECE_BYTES);
                chunks.insert(loaded - 1, bytes);
                break;
            }
        }
    }
    Ok(loaded)
}

/// Takes `sent` bytes off the front, and what is empty behind them.
fn consume(chunks: &mut VecDeque<Chunk>, mut sent: usize) {
    while let Some(first) = chunks.front_mut() {
        match first {
            Chunk::Bytes(bytes) if sent < bytes.len() => return bytes.advance(sent),
            Chunk::Range(range) if sent < range.len => return skip(range, sent),
            Chunk::Bytes(bytes) => sent -= bytes.len(),
            Chunk::Range(range) => sent -= range.len,
        }
        chunks.pop_front();
    }
}

fn skip(range: &mut Range, bytes: usize) {
    range.position += as_u64(bytes);
    range.len -= bytes;
}

fn read(range: &Range, count: usize) -> io::Result<Bytes> {
    if count > SENDFILE_FROM_BYTES {
        let mut bytes = BytesMut::zeroed(count);
        range.source.read_exact_at(&mut bytes, range.position)?;
        return Ok(bytes.freeze());
    }
    // The thread's spare memory, which is free again once this is sent.
    let mut buffer = spare::take(count);
    buffer.resize(count, 0);
    range.source.read_exact_at(&mut buffer, range.position)?;
    let bytes = buffer.split().freeze();
    spare::leave(buffer);
    Ok(bytes)
}

/// Tells the system to wait for what follows rather than send a packet of its own.
fn more_if(follows: bool) -> SendFlags {
    let more = if follows { SendFlags::MORE } else { SendFlags::empty() };
    more | SendFlags::NOSIGNAL
}

fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// From here on a range costs less by `sendfile` than by reading it.
const SENDFILE_FROM_BYTES: usize = 16 << 10;
/// Linux sends no more at a time.
const SENDFILE_BYTES_MAX: usize = 0x7fff_f000;
const READ_PIECE_BYTES: usize = 256 << 10;
/// Well below what one call takes.
const GATHERED_SLICES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use milena_protocol::wire::Source;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    /// A file whose every byte tells its position, with a descriptor or without.
    #[derive(Debug)]
    struct Numbers(Option<std::fs::File>, Vec<u8>);

    impl Source for Numbers {
        fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
            let from = usize::try_from(position).unwrap();
            let found = self.1.get(from..from + buf.len());
            buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }

        fn fd(&self) -> Option<BorrowedFd<'_>> {
            use std::os::fd::AsFd;
            self.0.as_ref().map(AsFd::as_fd)
        }
    }

    fn numbers(with_descriptor: bool) -> Arc<Numbers> {
        let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let file = with_descriptor.then(|| {
            let mut file = tempfile::tempfile().unwrap();
            io::Write::write_all(&mut file, &bytes).unwrap();
            file
        });
        Arc::new(Numbers(file, bytes))
    }

    async fn send_all(out: &mut OwnedWriteHalf, chunks: &mut VecDeque<Chunk>) -> io::Result<()> {
        while !chunks.is_empty() {
            out.send(chunks).await?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn bytes_and_ranges_arrive_in_order() {
        for with_descriptor in [true, false] {
            let source = numbers(with_descriptor);
            let range = |position: u64, len| {
                Chunk::Range(Range { source: Arc::clone(&source) as _, position, len })
            };
            let text = |text: &'static str| Chunk::Bytes(Bytes::from_static(text.as_bytes()));
            let mut chunks: VecDeque<Chunk> = (0..200).map(|_| text("many ")).collect();
            chunks.extend([range(7, 100), text("!"), range(1_000, 9_000_001), text("?")]);
            chunks.extend([range(4, SENDFILE_FROM_BYTES), range(5, 0)]);
            let expected: Vec<u8> = [
                "many ".repeat(200).as_bytes(),
                &source.1[7..107],
                b"!",
                &source.1[1_000..9_001_001],
                b"?",
                &source.1[4..4 + SENDFILE_FROM_BYTES],
            ]
            .concat();

            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (_, mut out) = listener.accept().await.unwrap().0.into_split();
            let mut got = Vec::new();
            let (sent, _) = tokio::join!(
                async {
                    let sent = send_all(&mut out, &mut chunks).await;
                    drop(out);
                    sent
                },
                client.read_to_end(&mut got),
            );
            sent.unwrap();
            assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
        }
    }

    #[tokio::test]
    async fn what_a_slow_peer_takes_is_told_as_it_goes() {
        for with_descriptor in [true, false] {
            let source = numbers(with_descriptor);
            let len = source.1.len();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (_, mut out) = listener.accept().await.unwrap().0.into_split();
            let mut chunks = VecDeque::from([Chunk::Range(Range { source, position: 0, len })]);
            let sent = out.send(&mut chunks).await.unwrap();
            let left: usize = chunks
                .iter()
                .map(|chunk| match chunk {
                    Chunk::Bytes(bytes) => bytes.len(),
                    Chunk::Range(range) => range.len,
                })
                .sum();
            assert!(0 < sent && sent + left == len, "{sent} of {len}, and {left} left");
        }
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error() {
        let source = numbers(true);
        let len = source.1.len();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, mut out) = listener.accept().await.unwrap().0.into_split();
        let range = Range { source, position: 100, len };
        let mut chunks = VecDeque::from([Chunk::Range(range)]);
        let mut got = Vec::new();
        let (sent, _) = tokio::join!(
            async {
                let sent = send_all(&mut out, &mut chunks).await;
                drop(out);
                sent
            },
            client.read_to_end(&mut got),
        );
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
