//! What a hospital answers to a release: acknowledge, put off, decline, ask; and the thread that follows
//! a question.
//!
//! Each is an act in the site's record with printed name, title and reason. Approving is not here: it
//! needs a key. Invariant: an answer is never changed; a later one counts, the earlier stays.

use super::raise;
use super::subject::{NoticeId, QuestionId, Severity, Subject};
use crate::app::App;
use crate::clock;
use crate::db::act::{self, Act};
use crate::db::notice::{self, Closed};
use crate::db::{Connection, DbError, answer};
use crate::error::ApiError;
use crate::limits::{
    ACT_TEXT_CHARS_MAX, ANSWER_PUT_OFF_S_MAX, QUESTION_CHARS_MAX, QUESTION_WORDS_MAX,
};
use crate::people::role::Place;
use crate::people::who::{AccountId, Who};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, MakerId, RepositoryId, SiteId};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// What a hospital can answer by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has arrived and somebody sees to it.
    Acknowledged,
    /// Not before this date; something else stands in for it.
    Deferred {
        /// Until when.
        until: Timestamp,
        /// The compensating control.
        control: String,
    },
    /// Not at all.
    Declined,
}

/// Who wrote something: as it is printed, and whose account it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Printed name.
    pub name: String,
    /// Role in words, e.g. clinical engineer.
    pub title: String,
    /// The account.
    pub account: AccountId,
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its name.
    pub id: NoticeId,
    /// Who answered.
    pub site: SiteId,
    /// To a release of which family.
    pub family: FamilyId,
    /// Which image.
    pub image_sha256: Sha256Digest,
    /// What.
    pub answer: Answer,
    /// Why, in the person's own words.
    pub reason: String,
    /// Which person.
    pub by: Signature,
    /// When.
    pub at: Timestamp,
}

/// Which side wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The hospital.
    Site,
    /// The manufacturer.
    Maker,
}

/// A question with its thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its name.
    pub id: QuestionId,
    /// Who asks.
    pub site: SiteId,
    /// About which family.
    pub family: FamilyId,
    /// About which image.
    pub image_sha256: Sha256Digest,
    /// When it was asked.
    pub asked: Timestamp,
    /// When the manufacturer wrote, if it wrote last.
    pub answered: Option<Timestamp>,
    /// What was written, oldest first.
    pub words: Vec<Word>,
}

/// What one side wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Which side.
    pub side: Side,
    /// Who.
    pub by: Signature,
    /// When.
    pub at: Timestamp,
    /// What.
    pub words: String,
}

impl Signature {
    /// Of whoever is signed in.
    #[must_use]
    pub fn of(who: &Who) -> Self {
        Self { name: who.name.clone(), title: who.title.clone(), account: who.account }
    }
}

impl Answer {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Deferred { .. } => "deferred",
            Self::Declined => "declined",
        }
    }
}

/// A site answers to the release that a notice is about.
///
/// # Errors
/// `not_found` for no open notice about a release, `request_invalid` for words that are missing or too
/// long, or a failure of ours.
pub async fn give(
    app: &Arc<App>,
    site: &SiteId,
    id: &NoticeId,
    answer: Answer,
    reason: String,
    who: &Who,
) -> Result<(), ApiError> {
    let at = app.clock.now();
    check_words("reason", &reason, ACT_TEXT_CHARS_MAX)?;
    if let Answer::Deferred { until, control } = &answer {
        check_words("control", control, ACT_TEXT_CHARS_MAX)?;
        if *until <= at || *until > at.plus_seconds(ANSWER_PUT_OFF_S_MAX) {
            return Err(invalid("until: later than today, within 180 days"));
        }
    }
    let name =
        NoticeId::digest(&format!("answer|{}", hex::encode(clock::random::<16>(&*app.rng)?)));
    let (place, notice_id) = (Place::Site(site.clone()), id.clone());
    let (site, by, account) = (site.clone(), Signature::of(who), who.by());
    let stored = app.db.write(move |conn| {
        let found = notice::find(conn, &place, &notice_id)?;
        let open = found.filter(|notice| notice.closed.is_none());
        let notice = open.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
        let Subject::Release { family, image_sha256, .. } = &notice.subject else {
            return Err(ApiError::of(ErrorCode::NotFound));
        };
        let (family, image_sha256) = (family.clone(), *image_sha256);
        let given = Given { id: name, site, family, image_sha256, answer, reason, by, at };
        answer::insert(conn, &given)?;
        record_answer(conn, &given, &account)?;
        notice::acknowledge(conn, &notice_id, at, &given.by.name)?;
        if given.answer != Answer::Acknowledged {
            notice::close(conn, &notice_id, at, Closed::Answered)?;
        }
        Ok(())
    });
    stored.await
}

/// A site asks about the release that a notice is about; the notice counts as acknowledged.
///
/// # Errors
/// As [`give`].
pub async fn ask(
    app: &Arc<App>,
    site: &SiteId,
    id: &NoticeId,
    words: String,
    who: &Who,
) -> Result<QuestionId, ApiError> {
    let at = app.clock.now();
    check_words("words", &words, QUESTION_CHARS_MAX)?;
    let drawn = hex::encode(clock::random::<16>(&*app.rng)?);
    let question = QuestionId::digest(&format!("question|{drawn}"));
    let (place, notice_id, reply) = (Place::Site(site.clone()), id.clone(), question.clone());
    let (site, by, account) = (site.clone(), Signature::of(who), who.by());
    let world = Arc::clone(app);
    let stored = app.db.write(move |conn| {
        let found = notice::find(conn, &place, &notice_id)?;
        let found = found.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
        let Subject::Release { family, image_sha256, .. } = &found.subject else {
            return Err(ApiError::of(ErrorCode::NotFound));
        };
        let (family, image_sha256) = (family.clone(), *image_sha256);
        let asked = Question {
            id: question,
            site,
            family,
            image_sha256,
            asked: at,
            answered: None,
            words: Vec::new(),
        };
        answer::ask(conn, &asked)?;
        notice::acknowledge(conn, &notice_id, at, &by.name)?;
        let word = Word { side: Side::Site, by, at, words };
        add(&world, conn, &asked, word, &account)
    });
    stored.await?;
    app.views.ring();
    Ok(reply)
}

/// One side writes below a question.
///
/// # Errors
/// `not_found` for a question of others, `request_invalid` for words that are missing or too long or a
/// thread that is full, or a failure of ours.
pub async fn write(
    app: &Arc<App>,
    place: &Place,
    id: &QuestionId,
    words: String,
    who: &Who,
) -> Result<(), ApiError> {
    let at = app.clock.now();
    check_words("words", &words, QUESTION_CHARS_MAX)?;
    let (place, id) = (place.clone(), id.clone());
    let (by, account) = (Signature::of(who), who.by());
    let world = Arc::clone(app);
    let stored = app.db.write(move |conn| {
        let question = answer::question(conn, &id)?.filter(|question| question.is_of(&place));
        let question = question.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
        if question.words.len() >= QUESTION_WORDS_MAX {
            return Err(invalid("words: this thread is full; ask a new question"));
        }
        let side = if matches!(place, Place::Maker(_)) { Side::Maker } else { Side::Site };
        add(&world, conn, &question, Word { side, by, at, words }, &account)
    });
    stored.await?;
    app.views.ring();
    Ok(())
}

/// The questions of a site or to a manufacturer, newest first.
///
/// # Errors
/// [`DbError`].
pub fn questions(
    conn: &mut Connection,
    place: &Place,
    families: &[FamilyId],
) -> Result<Vec<Question>, DbError> {
    match place {
        Place::Site(site) => answer::questions_of_site(conn, site),
        Place::Maker(_) => {
            let mut all = Vec::new();
            for family in families {
                all.extend(answer::questions_of_family(conn, family)?);
            }
            all.sort_by_key(|question| std::cmp::Reverse(question.asked));
            Ok(all)
        }
        Place::Server => Ok(Vec::new()),
    }
}

impl Question {
    /// Whether it is asked by, or of, this place.
    #[must_use]
    pub fn is_of(&self, place: &Place) -> bool {
        match place {
            Place::Site(site) => self.site == *site,
            Place::Maker(maker) => self.maker() == *maker,
            Place::Server => false,
        }
    }

    /// Who is asked.
    #[must_use]
    pub fn maker(&self) -> MakerId {
        self.family.maker()
    }
}

/// Adds what one side wrote and tells the other.
fn add(
    app: &App,
    conn: &mut Connection,
    question: &Question,
    word: Word,
    account: &str,
) -> Result<(), ApiError> {
    let n = u32::try_from(question.words.len()).unwrap_or(u32::MAX);
    answer::write(conn, &question.id, n, &word)?;
    let (id, family) = (question.id.to_string(), question.family.clone());
    let (place, subject) = match word.side {
        Side::Site => {
            let site = question.site.clone();
            let subject = Subject::Question { question: id, site, family, n };
            (Place::Maker(question.maker()), subject)
        }
        Side::Maker => {
            let subject = Subject::Answered { question: id, family, n };
            (Place::Site(question.site.clone()), subject)
        }
    };
    // Whoever writes has read what stood above.
    let own = match word.side {
        Side::Site => Place::Site(question.site.clone()),
        Side::Maker => Place::Maker(question.maker()),
    };
    for open in notice::open(conn, &own)? {
        if open.subject.is_about_question(&question.id) {
            notice::acknowledge(conn, &open.id, word.at, &word.by.name)?;
            notice::close(conn, &open.id, word.at, Closed::Answered)?;
        }
    }
    record_word(conn, question, &word, account)?;
    let matter = raise::Matter { place, subject, severity: Severity::Important, due: None };
    raise::raise(conn, &raise::Rules::of(&app.config.notify), &matter, word.at)?;
    Ok(())
}

fn record_answer(conn: &mut Connection, given: &Given, account: &str) -> Result<(), DbError> {
    let (until, control) = match &given.answer {
        Answer::Deferred { until, control } => (Some(*until), Some(control.as_str())),
        Answer::Acknowledged | Answer::Declined => (None, None),
    };
    let act = match given.answer {
        Answer::Acknowledged => "release-acknowledged",
        Answer::Deferred { .. } => "release-deferred",
        Answer::Declined => "release-declined",
    };
    let detail = json!({
        "family": given.family, "image_sha256": given.image_sha256,
        "name": given.by.name, "role": given.by.title, "reason": given.reason,
        "until": until, "control": control,
    });
    let scope = RepositoryId::Site(given.site.clone()).to_string();
    act::append(conn, &Act { at: given.at, scope, who: account.to_owned(), act, detail })
}

fn record_word(
    conn: &mut Connection,
    question: &Question,
    word: &Word,
    account: &str,
) -> Result<(), DbError> {
    let act = match word.side {
        Side::Site => "question-asked",
        Side::Maker => "question-answered",
    };
    let detail = json!({
        "question": question.id.as_str(), "family": question.family,
        "image_sha256": question.image_sha256, "name": word.by.name, "role": word.by.title,
        "words": word.words,
    });
    let scope = RepositoryId::Site(question.site.clone()).to_string();
    act::append(conn, &Act { at: word.at, scope, who: account.to_owned(), act, detail })
}

/// Words of a person: there, not too long, without control characters but line ends.
fn check_words(field: &str, text: &str, chars_max: usize) -> Result<(), ApiError> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.trim().is_empty() {
        return Err(invalid(&format!("{field}: it must say something")));
    }
    if text.chars().count() > chars_max || text.chars().any(odd) {
        return Err(invalid(&format!(
            "{field}: at most {chars_max} characters, no control characters"
        )));
    }
    Ok(())
}

fn invalid(rule: &str) -> ApiError {
    ApiError::with(ErrorCode::RequestInvalid, rule)
}
