//! A deadline that moves often, on timers that are set rarely.

use std::time::Duration;

/// One deadline of a machine, such as the end of a session. Moving it later costs nothing: the
/// timer that is set goes off at the old time, and is then set anew. Timers are never cancelled;
/// one that was overtaken is recognised by the time that it was set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    due: Duration,
    /// When the timer that counts goes off.
    set_for: Duration,
}

/// What an alarm that went off means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// It was overtaken or switched off.
    Stale,
    /// The deadline has moved: wake me again then.
    Later(Duration),
    /// The time has come; the alarm is off now.
    Due,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { due: NEVER, set_for: NEVER }
    }
}

impl Alarm {
    /// Moves the deadline. A timer is to be set if this returns a time.
    #[must_use]
    pub fn set(&mut self, due: Duration) -> Option<Duration> {
        self.due = due;
        if due >= self.set_for {
            return None;
        }
        self.set_for = due;
        Some(due)
    }

    /// No deadline any more.
    pub fn switch_off(&mut self) {
        self.due = NEVER;
    }

    /// To be called when a timer that was set for `set_for` goes off.
    #[must_use]
    pub fn ring(&mut self, set_for: Duration, now: Duration) -> Ring {
        if set_for != self.set_for {
            return Ring::Stale;
        }
        if self.due > now && self.due != NEVER {
            self.set_for = self.due;
            return Ring::Later(self.due);
        }
        let was_due = self.due != NEVER;
        *self = Self::default();
        if was_due { Ring::Due } else { Ring::Stale }
    }
}

const NEVER: Duration = Duration::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_goes_off_once() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(s(5)), Some(s(5)));
        assert_eq!(alarm.ring(s(5), s(5)), Ring::Due);
        assert_eq!(alarm.ring(s(5), s(5)), Ring::Stale);
        assert_eq!(alarm.set(s(9)), Some(s(9)));
    }

    #[test]
    fn moving_it_later_sets_no_timer_until_the_first_goes_off() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(s(5)), Some(s(5)));
        assert_eq!(alarm.set(s(8)), None);
        assert_eq!(alarm.ring(s(5), s(5)), Ring::Later(s(8)));
        assert_eq!(alarm.ring(s(8), s(8)), Ring::Due);
    }

    #[test]
    fn moving_it_earlier_overtakes_the_timer_that_is_set() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(s(300)), Some(s(300)));
        assert_eq!(alarm.set(s(10)), Some(s(10)));
        assert_eq!(alarm.set(s(20)), None);
        assert_eq!(alarm.ring(s(10), s(10)), Ring::Later(s(20)));
        assert_eq!(alarm.ring(s(20), s(21)), Ring::Due);
        assert_eq!(alarm.ring(s(300), s(300)), Ring::Stale);
    }

    #[test]
    fn one_that_is_off_does_not_go_off() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(s(5)), Some(s(5)));
        alarm.switch_off();
        assert_eq!(alarm.ring(s(5), s(5)), Ring::Stale);
        assert_eq!(alarm.set(s(7)), Some(s(7)));
    }

    #[test]
    fn one_that_is_switched_on_again_keeps_its_timer() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.set(s(5)), Some(s(5)));
        alarm.switch_off();
        assert_eq!(alarm.set(s(6)), None);
        assert_eq!(alarm.ring(s(5), s(5)), Ring::Later(s(6)));
    }
}
