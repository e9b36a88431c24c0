//! Rows of what hospitals answered to releases, and of questions with what both sides wrote.
//!
//! Not here: who may answer. Invariant: an answer and a written word are inserted and never changed.

use super::column::{count, from_name, instant, store_count, to_name};
use super::notice::read_id;
use super::schema::notice::{answers, question_words, questions};
use super::{Connection, DbError, queries};
use crate::notify::answer::{Answer, Given, Question, Side, Signature, Word};
use crate::notify::subject::QuestionId;
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = answers)]
struct AnswerRow {
    id: String,
    site: String,
    family: String,
    image_sha256: String,
    answer: String,
    reason: String,
    until: Option<i64>,
    control: Option<String>,
    printed_name: String,
    title: String,
    account: i64,
    at: i64,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = questions)]
struct QuestionRow {
    id: String,
    site: String,
    family: String,
    image_sha256: String,
    asked: i64,
    answered: Option<i64>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = question_words)]
struct WordRow {
    question: String,
    n: i64,
    side: String,
    printed_name: String,
    title: String,
    account: i64,
    at: i64,
    words: String,
}

queries! {
    fn insert_answer(conn, row: &AnswerRow) -> Result<(), DbError> {
        diesel::insert_into(answers::table).values(row).execute(conn)?;
        Ok(())
    }

    fn site_rows(conn, site: &str) -> Result<Vec<AnswerRow>, DbError> {
        let rows = answers::table.filter(answers::site.eq(site));
        Ok(rows.order((answers::at, answers::id)).load(conn)?)
    }

    fn family_rows(conn, family: &str) -> Result<Vec<AnswerRow>, DbError> {
        let rows = answers::table.filter(answers::family.eq(family));
        Ok(rows.order((answers::at, answers::id)).load(conn)?)
    }

    fn image_rows(conn, images: &[String]) -> Result<Vec<AnswerRow>, DbError> {
        let rows = answers::table.filter(answers::image_sha256.eq_any(images));
        Ok(rows.order((answers::at, answers::id)).load(conn)?)
    }

    fn insert_question(conn, row: &QuestionRow) -> Result<(), DbError> {
        diesel::insert_into(questions::table).values(row).execute(conn)?;
        Ok(())
    }

    fn question_row(conn, id: &str) -> Result<Option<QuestionRow>, DbError> {
        Ok(questions::table.find(id).first::<QuestionRow>(conn).optional()?)
    }

    fn site_questions(conn, site: &str) -> Result<Vec<QuestionRow>, DbError> {
        let rows = questions::table.filter(questions::site.eq(site));
        Ok(rows.order((questions::asked.desc(), questions::id)).load(conn)?)
    }

    fn family_questions(conn, family: &str) -> Result<Vec<QuestionRow>, DbError> {
        let rows = questions::table.filter(questions::family.eq(family));
        Ok(rows.order((questions::asked.desc(), questions::id)).load(conn)?)
    }

    fn answered_row(conn, id: &str, at: Option<i64>) -> Result<(), DbError> {
        diesel::update(questions::table.find(id)).set(questions::answered.eq(at)).execute(conn)?;
        Ok(())
    }

    fn insert_word(conn, row: &WordRow) -> Result<(), DbError> {
        diesel::insert_into(question_words::table).values(row).execute(conn)?;
        Ok(())
    }

    fn word_rows(conn, question: &str) -> Result<Vec<WordRow>, DbError> {
        let rows = question_words::table.filter(question_words::question.eq(question));
        Ok(rows.order(question_words::n).load(conn)?)
    }
}

/// Stores an answer.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, given: &Given) -> Result<(), DbError> {
    let (answer, until, control) = match &given.answer {
        Answer::Acknowledged => ("acknowledged", None, None),
        Answer::Deferred { until, control } => ("deferred", Some(*until), Some(control.clone())),
        Answer::Declined => ("declined", None, None),
    };
    let row = AnswerRow {
        id: given.id.to_string(),
        site: given.site.to_string(),
        family: given.family.to_string(),
        image_sha256: given.image_sha256.to_string(),
        answer: answer.to_owned(),
        reason: given.reason.clone(),
        until: until.map(Timestamp::millis),
        control,
        printed_name: given.by.name.clone(),
        title: given.by.title.clone(),
        account: given.by.account.0,
        at: given.at.millis(),
    };
    insert_answer(conn, &row)
}

/// What a site answered, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of_site(conn: &mut Connection, site: &SiteId) -> Result<Vec<Given>, DbError> {
    site_rows(conn, site.as_str())?.into_iter().map(AnswerRow::given).collect()
}

/// What sites answered to releases of a family, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of_family(conn: &mut Connection, family: &FamilyId) -> Result<Vec<Given>, DbError> {
    family_rows(conn, family.as_str())?.into_iter().map(AnswerRow::given).collect()
}

/// What sites answered to these images, of each image oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of_images(conn: &mut Connection, images: &[Sha256Digest]) -> Result<Vec<Given>, DbError> {
    let mut all = Vec::new();
    for some in images.chunks(500) {
        let some: Vec<String> = some.iter().map(ToString::to_string).collect();
        let rows = image_rows(conn, &some)?.into_iter().map(AnswerRow::given);
        all.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(all)
}

/// Stores a question without a word yet.
///
/// # Errors
/// [`DbError`].
pub fn ask(conn: &mut Connection, question: &Question) -> Result<(), DbError> {
    insert_question(
        conn,
        &QuestionRow {
            id: question.id.to_string(),
            site: question.site.to_string(),
            family: question.family.to_string(),
            image_sha256: question.image_sha256.to_string(),
            asked: question.asked.millis(),
            answered: question.answered.map(Timestamp::millis),
        },
    )
}

/// A question with what was written below it.
///
/// # Errors
/// [`DbError`].
pub fn question(conn: &mut Connection, id: &QuestionId) -> Result<Option<Question>, DbError> {
    let Some(row) = question_row(conn, id.as_str())? else { return Ok(None) };
    row.question(conn).map(Some)
}

/// The questions of a site, newest first.
///
/// # Errors
/// [`DbError`].
pub fn questions_of_site(conn: &mut Connection, site: &SiteId) -> Result<Vec<Question>, DbError> {
    let rows = site_questions(conn, site.as_str())?;
    rows.into_iter().map(|row| row.question(conn)).collect()
}

/// The questions about a family, newest first.
///
/// # Errors
/// [`DbError`].
pub fn questions_of_family(
    conn: &mut Connection,
    family: &FamilyId,
) -> Result<Vec<Question>, DbError> {
    let rows = family_questions(conn, family.as_str())?;
    rows.into_iter().map(|row| row.question(conn)).collect()
}

/// Adds what one side wrote; a question is answered when the manufacturer wrote last.
///
/// # Errors
/// [`DbError`].
pub fn write(
    conn: &mut Connection,
    question: &QuestionId,
    n: u32,
    word: &Word,
) -> Result<(), DbError> {
    insert_word(
        conn,
        &WordRow {
            question: question.to_string(),
            n: store_count("question_words.n", u64::from(n))?,
            side: to_name("question_words.side", &word.side)?,
            printed_name: word.by.name.clone(),
            title: word.by.title.clone(),
            account: word.by.account.0,
            at: word.at.millis(),
            words: word.words.clone(),
        },
    )?;
    let answered = (word.side == Side::Maker).then_some(word.at.millis());
    answered_row(conn, question.as_str(), answered)
}

impl AnswerRow {
    fn given(self) -> Result<Given, DbError> {
        let wrong = |value: &str| DbError::Column {
            column: "answers.answer",
            kind: "answer",
            value: value.to_owned(),
        };
        let answer = match (self.answer.as_str(), self.until, self.control) {
            ("acknowledged", _, _) => Answer::Acknowledged,
            ("declined", _, _) => Answer::Declined,
            ("deferred", Some(until), Some(control)) => {
                Answer::Deferred { until: Timestamp::from_millis(until), control }
            }
            (other, _, _) => return Err(wrong(other)),
        };
        Ok(Given {
            id: read_id("answers.id", &self.id)?,
            site: from_name("answers.site", &self.site)?,
            family: from_name("answers.family", &self.family)?,
            image_sha256: from_name("answers.image_sha256", &self.image_sha256)?,
            answer,
            reason: self.reason,
            by: Signature {
                name: self.printed_name,
                title: self.title,
                account: AccountId(self.account),
            },
            at: Timestamp::from_millis(self.at),
        })
    }
}

impl QuestionRow {
    fn question(self, conn: &mut Connection) -> Result<Question, DbError> {
        let words = word_rows(conn, &self.id)?.into_iter().map(WordRow::word);
        Ok(Question {
            id: read_id("questions.id", &self.id)?,
            site: from_name("questions.site", &self.site)?,
            family: from_name("questions.family", &self.family)?,
            image_sha256: from_name("questions.image_sha256", &self.image_sha256)?,
            asked: Timestamp::from_millis(self.asked),
            answered: instant(self.answered),
            words: words.collect::<Result<_, _>>()?,
        })
    }
}

impl WordRow {
    fn word(self) -> Result<Word, DbError> {
        count("question_words.n", self.n)?;
        Ok(Word {
            side: from_name("question_words.side", &self.side)?,
            by: Signature {
                name: self.printed_name,
                title: self.title,
                account: AccountId(self.account),
            },
            at: Timestamp::from_millis(self.at),
            words: self.words,
        })
    }
}
