//! How chunks leave by TCP: bytes gathered in one call, ranges of files by `sendfile`.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use bytes::{Buf, Bytes, BytesMut};
use milena_protocol::wire::{Chunk, Range};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::{
    io::Interest,
    net::{TcpStream, tcp::OwnedWriteHalf},
};

use super::Outgoing;

impl Outgoing for OwnedWriteHalf {
    async fn send(&mut self, chunks: &mut VecDeque<Chunk>) -> io::Result<()> {
        let socket: &TcpStream = self.as_ref();
        while let Some(first) = chunks.front() {
            match first {
                Chunk::Range(range) if range.len >= SENDFILE_FROM_BYTES => {
                    let range = range.clone();
                    chunks.pop_front();
                    send_range(socket, &range, more_if(!chunks.is_empty())).await?;
                }
                _ => send_small(socket, chunks).await?,
            }
        }
        Ok(())
    }
}

/// Sends what of the front is in memory, or small enough to be read there.
async fn send_small(socket: &TcpStream, chunks: &mut VecDeque<Chunk>) -> io::Result<()> {
    let mut pieces = VecDeque::new();
    while pieces.len() < GATHERED_SLICES_MAX {
        match chunks.front() {
            Some(Chunk::Bytes(bytes)) => pieces.push_back(bytes.clone()),
            Some(Chunk::Range(range)) if range.len < SENDFILE_FROM_BYTES => {
                pieces.push_back(read(range, 0, range.len)?);
            }
            Some(Chunk::Range(_)) | None => break,
        }
        chunks.pop_front();
    }
    let flags = more_if(!chunks.is_empty());
    send_all(socket, &mut pieces, flags).await
}

/// Sends a range of a file without reading it, where the file allows that.
async fn send_range(socket: &TcpStream, range: &Range, flags: SendFlags) -> io::Result<()> {
    let mut done = 0;
    while done < range.len {
        let left = range.len - done;
        if let Some(file) = range.source.fd() {
            let from = range.position + as_u64(done);
            let send = || {
                let mut position = from;
                let count = left.min(SENDFILE_BYTES_MAX);
                Ok(rustix::fs::sendfile(socket, file, Some(&mut position), count)?)
            };
            match socket.async_io(Interest::WRITABLE, send).await? {
                // The file is shorter than it was: what was promised cannot be kept.
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                sent => done += sent,
            }
        } else {
            let count = left.min(READ_PIECE_BYTES);
            let flags = if count < left { SendFlags::MORE } else { flags };
            send_all(socket, &mut VecDeque::from([read(range, done, count)?]), flags).await?;
            done += count;
        }
    }
    Ok(())
}

async fn send_all(
    socket: &TcpStream,
    pieces: &mut VecDeque<Bytes>,
    flags: SendFlags,
) -> io::Result<()> {
    while !pieces.is_empty() {
        let send = || {
            let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            Ok(sendmsg(socket, &slices, &mut SendAncillaryBuffer::default(), flags)?)
        };
        let mut sent = socket.async_io(Interest::WRITABLE, send).await?;
        while let Some(first) = pieces.front_mut() {
            if sent < first.len() {
                first.advance(sent);
                break;
            }
            sent -= first.len();
            pieces.pop_front();
        }
    }
    Ok(())
}

fn read(range: &Range, skip: usize, count: usize) -> io::Result<Bytes> {
    let mut bytes = BytesMut::zeroed(count);
    range.source.read_exact_at(&mut bytes, range.position + as_u64(skip))?;
    Ok(bytes.freeze())
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
    use std::{os::fd::BorrowedFd, sync::Arc};

    use milena_protocol::wire::Source;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    /// A file whose every byte tells its position, with a descriptor or without.
    #[derive(Debug)]
    struct Numbers(Option<std::fs::File>, Vec<u8>);

    impl Source for Numbers {
        fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
            let from = usize::try_from(position).unwrap();
            buf.copy_from_slice(self.1.get(from..from + buf.len()).ok_or(io::ErrorKind::Other)?);
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
                    let sent = out.send(&mut chunks).await;
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
                let sent = out.send(&mut chunks).await;
                drop(out);
                sent
            },
            client.read_to_end(&mut got),
        );
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
