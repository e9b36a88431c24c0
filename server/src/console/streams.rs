//! How many streams of events stand: in all, for a place and for a session.
//!
//! Whoever opens page after page, or asks by a program, takes no stream from others. Not here: what a
//! stream tells. Invariant: a stream is counted from before its first piece until it is dropped, however
//! it ends.

use crate::people::role::Place;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most streams of this program at a time.
const STREAMS_MAX: usize = 256;
/// Most streams of the people of one place.
const PLACE_STREAMS_MAX: usize = 64;
/// Most streams of one session: a browser holds six connections to a server.
const SESSION_STREAMS_MAX: usize = 6;

/// The streams that stand.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<Mutex<Standing>>);

#[derive(Debug, Default)]
struct Standing {
    all: usize,
    places: HashMap<Place, usize>,
    sessions: HashMap<String, usize>,
}

/// One of them, as long as it is held.
#[derive(Debug)]
pub struct Stands {
    streams: Streams,
    place: Place,
    session: String,
}

impl Streams {
    /// Counts one more of a place and a session; nothing when one of them has as many as it may.
    #[must_use]
    pub fn stand(&self, place: Place, session: &str) -> Option<Stands> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_place = standing.places.get(&place).copied().unwrap_or_default();
        let of_session = standing.sessions.get(session).copied().unwrap_or_default();
        let full = standing.all >= STREAMS_MAX
            || of_place >= PLACE_STREAMS_MAX
            || of_session >= SESSION_STREAMS_MAX;
        if full {
            return None;
        }
        standing.all = standing.all.saturating_add(1);
        standing.places.insert(place.clone(), of_place.saturating_add(1));
        standing.sessions.insert(session.to_owned(), of_session.saturating_add(1));
        Some(Stands { streams: self.clone(), place, session: session.to_owned() })
    }
}

impl Drop for Stands {
    fn drop(&mut self) {
        let mut standing = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.all = standing.all.saturating_sub(1);
        if let Some(count) = standing.places.get_mut(&self.place) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = standing.sessions.get_mut(&self.session) {
            *count = count.saturating_sub(1);
        }
        // What is over is not remembered: sessions come and go.
        standing.places.retain(|_, count| *count > 0);
        standing.sessions.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::SiteId;

    fn site(name: &str) -> Place {
        Place::Site(SiteId::new(name).unwrap())
    }

    #[test]
    fn a_session_takes_no_more_streams_than_a_browser_holds() {
        let streams = Streams::default();
        let mut held: Vec<_> =
            (0..SESSION_STREAMS_MAX).filter_map(|_| streams.stand(site("north"), "one")).collect();
        assert_eq!(held.len(), SESSION_STREAMS_MAX);
        assert!(streams.stand(site("north"), "one").is_none());
        assert!(streams.stand(site("south"), "one").is_none(), "of another place neither");
        assert!(streams.stand(site("north"), "two").is_some(), "somebody else's");
        held.pop();
        assert!(streams.stand(site("north"), "one").is_some(), "one has ended");
    }

    #[test]
    fn a_place_and_the_program_take_no_more_than_they_may_and_nothing_is_kept_of_what_is_over() {
        let streams = Streams::default();
        let many = |place: &str, count: usize| -> Vec<Stands> {
            let each =
                (0..count).filter_map(|n| streams.stand(site(place), &format!("{place}{n}")));
            each.collect()
        };
        let mut held = vec![many("a", 1_000)];
        assert_eq!(held[0].len(), PLACE_STREAMS_MAX);
        assert!(streams.stand(site("b"), "another").is_some(), "another place is not kept out");
        for place in ["b", "c", "d", "e"] {
            held.push(many(place, 1_000));
        }
        assert_eq!(held.iter().map(Vec::len).sum::<usize>(), STREAMS_MAX);
        drop(held);
        let standing = streams.0.lock().unwrap();
        assert_eq!((standing.all, standing.places.len(), standing.sessions.len()), (0, 0, 0));
    }
}
