//! Timer schedules: NCRONTAB or a time span, in UTC.
//! It never waits, and never has a clock: it is told after when.

use std::{cmp::Ordering, time::Duration};

use croner::{
    CivilDateTime, Cron, CronDateTime, Resolution, Weekday,
    errors::CronError,
    parser::{CronParser, Seconds},
};
use time::{Date, Month, OffsetDateTime, Time};

use super::json::time_span;

/// The times at which a timer is due, in UTC.
#[derive(Clone, Debug)]
pub(crate) enum Schedule {
    Cron(Box<Cron>),
    Every(Duration),
}

impl Schedule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(period) = time_span(text) {
            return if period.is_zero() {
                Err("must not be zero".to_owned())
            } else {
                Ok(Self::Every(period))
            };
        }
        // Five fields are crontab without seconds, six have them in front.
        let seconds = if text.split_whitespace().count() == 6 {
            Seconds::Required
        } else {
            Seconds::Disallowed
        };
        let cron = CronParser::builder().seconds(seconds).build().parse(text);
        cron.map(|cron| Self::Cron(Box::new(cron)))
            .map_err(|error| format!("is no NCRONTAB expression: {error}"))
    }

    pub(crate) fn next(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Every(period) => Some(after + *period),
            Self::Cron(cron) => cron
                .find_next_occurrence(&Utc(after), false)
                .ok()
                .map(|next| next.0),
        }
    }
}

/// UTC for croner, which has no support for the `time` crate.
#[derive(Clone, Copy)]
struct Utc(OffsetDateTime);

impl CronDateTime for Utc {
    fn to_civil(&self) -> CivilDateTime {
        let (date, time) = (self.0.date(), self.0.time());
        CivilDateTime::new(
            croner::CivilDate::from_parts_unchecked(
                date.year(),
                u8::from(date.month()).into(),
                date.day().into(),
            ),
            croner::CivilTime::from_parts_unchecked(
                time.hour().into(),
                time.minute().into(),
                time.second().into(),
            ),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(self.0.weekday().number_days_from_sunday().into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |number: u32| u8::try_from(number).map_err(|_| CronError::InvalidDate);
        let month = Month::try_from(part(civil.month())?).map_err(|_| CronError::InvalidDate)?;
        let date = Date::from_calendar_date(civil.year(), month, part(civil.day())?);
        let time = Time::from_hms(part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        match (date, time) {
            (Ok(date), Ok(time)) => Ok(Resolution::Single(Self(date.with_time(time).assume_utc()))),
            _ => Err(CronError::InvalidDate),
        }
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(time::Duration::seconds(seconds)).map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[test]
    fn six_fields_begin_with_seconds_and_five_with_minutes() {
        let start = OffsetDateTime::parse("2026-11-23T10:00:02.5Z", &Rfc3339).expect("a time");
        let next = |text: &str| {
            let next = Schedule::parse(text)
                .expect("a schedule")
                .next(start)
                .expect("a next time");
            next.format(&Rfc3339).expect("a text")
        };
        assert_eq!(next("*/5 * * * * *"), "2026-11-23T10:00:05Z");
        assert_eq!(next("*/5 * * * *"), "2026-11-23T10:05:00Z");
        assert_eq!(next("0 30 9 * * 1"), "2026-11-30T09:30:00Z");
        assert_eq!(next("00:00:10"), "2026-11-23T10:00:12.5Z");
        assert!(Schedule::parse("whenever").is_err());
    }
}
