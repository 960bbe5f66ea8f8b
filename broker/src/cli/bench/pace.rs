//! When the next request is due: at once, or at its time on a fixed schedule.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::clock::{Clock, SystemClock};

/// Hands out the times at which requests are meant to be sent.
///
/// On a schedule these do not depend on how long earlier requests took, so that a stall of the
/// broker is seen in every request that it delayed and not only in the one that it hit
/// (coordinated omission).
#[derive(Debug)]
pub(super) struct Pace {
    clock: SystemClock,
    schedule: Option<Schedule>,
}

#[derive(Debug)]
struct Schedule {
    next: Duration,
    every: Duration,
    alarm: Alarm,
}

impl Pace {
    /// Every request is due when it is asked for.
    pub(super) fn flat_out(clock: SystemClock) -> Self {
        Self { clock, schedule: None }
    }

    /// Requests are due at `first` and then `every` so often.
    ///
    /// # Errors
    /// The system has no timer left.
    pub(super) fn steady(clock: SystemClock, first: Duration, every: Duration) -> io::Result<Self> {
        let alarm = Alarm::new()?;
        Ok(Self { clock, schedule: Some(Schedule { next: first, every, alarm }) })
    }

    /// Waits until a request is due and tells when it was meant to be sent. Nothing is lost if the
    /// wait is given up.
    ///
    /// # Errors
    /// Whatever the system's timer reports.
    pub(super) async fn due(&mut self) -> io::Result<Duration> {
        let now = self.clock.monotonic();
        let Some(schedule) = &mut self.schedule else { return Ok(now) };
        let wait = schedule.next.saturating_sub(now);
        if !wait.is_zero() {
            schedule.alarm.ring_in(wait).await?;
        }
        let intended = schedule.next;
        schedule.next += schedule.every;
        Ok(intended)
    }
}

/// The system's own timer, which is exact to some microseconds; the runtime's is to a millisecond.
#[derive(Debug)]
struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    #[expect(unsafe_code, reason = "the runtime cannot see that a descriptor stays open")]
    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the timer is owned by what is made here, which neither replaces nor closes it.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE)? };
        Ok(Self { timer })
    }

    async fn ring_in(&self, wait: Duration) -> io::Result<()> {
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let time = Timespec {
            tv_sec: wait.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        };
        // Setting it again also takes back that it has rung.
        let once = Itimerspec { it_interval: never, it_value: time };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        let rung = |timer: &OwnedFd| Ok(rustix::io::read(timer, &mut [0; 8])?);
        self.timer.async_io(Interest::READABLE, rung).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_schedule_goes_on_from_where_it_was_meant_to_be() {
        let clock = SystemClock::new();
        let first = clock.monotonic();
        let every = Duration::from_micros(100);
        let mut pace = Pace::steady(clock, first, every).unwrap();
        for at in 0..50 {
            let intended = pace.due().await.unwrap();
            assert_eq!(intended, first + every * at);
            assert!(clock.monotonic() >= intended, "nothing is due before its time");
        }
    }
}
