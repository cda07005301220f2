//! Response bodies that behave badly on the socket.

use std::{
    io,
    num::NonZeroU32,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A body that comes at once or drop by drop, and that may end too early.
pub(super) struct ScriptedBody {
    left: Bytes,
    bytes_per_second: Option<NonZeroU32>,
    /// The connection breaks where the bytes end.
    breaks: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ScriptedBody {
    pub(super) fn new(bytes: Bytes, bytes_per_second: Option<NonZeroU32>, breaks: bool) -> Self {
        Self {
            left: bytes,
            bytes_per_second,
            breaks,
            pause: None,
        }
    }

    /// As many bytes as a tenth of a second brings, at least one.
    fn next_piece(&mut self) -> Bytes {
        let size = self.bytes_per_second.map_or(self.left.len(), |rate| {
            usize::try_from(rate.get() / 10)
                .unwrap_or(usize::MAX)
                .max(1)
        });
        self.left.split_to(size.min(self.left.len()))
    }

    /// The time until the next piece. Before a break it lets the pieces so far reach the socket.
    fn pause_after(&self, piece: &Bytes) -> Option<Pin<Box<Sleep>>> {
        let duration = match self.bytes_per_second {
            Some(rate) => {
                let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
                Duration::from_secs(1) * size / rate.get()
            }
            None if self.breaks => Duration::from_millis(10),
            None => return None,
        };
        Some(Box::pin(sleep(duration)))
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        if self.left.is_empty() {
            return Poll::Ready(
                self.breaks
                    .then(|| Err(io::ErrorKind::ConnectionReset.into())),
            );
        }
        let piece = self.next_piece();
        self.pause = self.pause_after(&piece);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        if self.breaks {
            return SizeHint::default();
        }
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}
