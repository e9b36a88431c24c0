//! HTTP/1.1 as bytes, as far as an attacker in the middle needs it: one request, one reply.
//!
//! Not a client: honest calls go through [`crate::http`]. Every connection carries one exchange.
//! Invariant: a reply is read whole before it is handed on, so that it can be changed or cut anywhere.

use anyhow::{Context as _, Result, bail};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Most bytes of a head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long a side may say nothing: longer than a poll may stand.
const SILENCE: Duration = Duration::from_secs(90);

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// A reply as it goes out.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers in order, names in lower case; `content-length` and `connection` are written anew.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// The last part of the path.
    #[must_use]
    pub fn file(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Reads one from a connection; none when the other side closed without asking.
    ///
    /// # Errors
    /// When what comes is no HTTP.
    pub fn read(stream: &mut TcpStream) -> Result<Option<Self>> {
        stream.set_read_timeout(Some(SILENCE)).context("limit the silence")?;
        let Some((head, mut body)) = read_head(stream)? else { return Ok(None) };
        let (first, headers) = parse_head(&head)?;
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let length = length_of(&headers);
        let mut request =
            Self { method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() };
        if request.header("expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").context("let it go on")?;
        }
        if request.header("transfer-encoding").is_some() {
            read_chunks_end(stream, &mut body)?;
            request.body = dechunk(&body);
        } else {
            read_to(stream, &mut body, length.unwrap_or(0))?;
            request.body = body;
        }
        Ok(Some(request))
    }

    /// Asks a server and reads its whole reply.
    ///
    /// # Errors
    /// When it does not answer in HTTP.
    pub fn ask(&self, address: &str) -> Result<Reply> {
        let mut stream =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_read_timeout(Some(SILENCE)).context("limit the silence")?;
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            let own = ["connection", "content-length", "transfer-encoding", "expect"];
            if !own.contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("connection: close\r\ncontent-length: {}\r\n\r\n", self.body.len()));
        stream.write_all(head.as_bytes()).context("send the head")?;
        stream.write_all(&self.body).context("send the body")?;
        Reply::read(&mut stream, &self.method)
    }
}

impl Reply {
    /// A reply with a body and nothing else.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.into() }
    }

    /// The part of a file that was asked for, as a server that knows ranges answers.
    #[must_use]
    pub fn part(request: &Request, file: &[u8]) -> Self {
        let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
        let bounds = range.and_then(|range| range.split_once('-'));
        let start = bounds.and_then(|(start, _)| start.parse::<usize>().ok());
        let Some(start) = start.filter(|start| *start < file.len()) else {
            return Self::new(200, file);
        };
        let last = bounds.and_then(|(_, last)| last.parse::<usize>().ok());
        let end = last.map_or(file.len(), |last| last.saturating_add(1)).min(file.len());
        let mut reply = Self::new(206, file.get(start..end).unwrap_or_default());
        let range = format!("bytes {start}-{}/{}", end.saturating_sub(1), file.len());
        reply.headers.push(("content-range".to_owned(), range));
        reply
    }

    /// Where in the file its body begins, in bytes.
    #[must_use]
    pub fn first_byte(&self) -> u64 {
        let range = self.headers.iter().find(|(name, _)| name == "content-range");
        let range = range.and_then(|(_, value)| value.strip_prefix("bytes "));
        range.and_then(|range| range.split('-').next()?.parse().ok()).unwrap_or(0)
    }

    /// The same with a body read as JSON and changed.
    ///
    /// # Errors
    /// When the body is no JSON.
    pub fn with_json(mut self, change: impl FnOnce(&mut serde_json::Value)) -> Result<Self> {
        let mut value = serde_json::from_slice(&self.body).context("the reply is JSON")?;
        change(&mut value);
        self.body = serde_json::to_vec(&value).context("write JSON")?;
        Ok(self)
    }

    fn read(stream: &mut TcpStream, method: &str) -> Result<Self> {
        let (head, mut body) = read_head(stream)?.context("the server closed without an answer")?;
        let (first, headers) = parse_head(&head)?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.with_context(|| format!("no status in {first:?}"))?;
        let mut reply = Self { status, headers, body: Vec::new() };
        if method == "HEAD" || status == 204 || status == 304 {
            return Ok(reply);
        }
        let chunked = reply.headers.iter().any(|(name, _)| name == "transfer-encoding");
        match length_of(&reply.headers) {
            Some(length) => read_to(stream, &mut body, length)?,
            None => {
                stream.read_to_end(&mut body).context("read to the end")?;
            }
        }
        reply.body = if chunked { dechunk(&body) } else { body };
        Ok(reply)
    }

    /// Its head; `length` is what it claims, whatever the body has.
    #[must_use]
    pub fn head(&self, length: usize) -> String {
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.headers {
            let own = ["connection", "content-length", "transfer-encoding"];
            if !own.contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("content-length: {length}\r\nconnection: close\r\n\r\n"));
        head
    }
}

fn read_head(stream: &mut TcpStream) -> Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end.saturating_add(4));
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), rest)));
        }
        if bytes.len() > HEAD_BYTES_MAX {
            bail!("a head of more than {HEAD_BYTES_MAX} bytes");
        }
        if read_some(stream, &mut bytes)? == 0 {
            return Ok(None);
        }
    }
}

fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<usize> {
    let mut piece = [0_u8; 16 * 1024];
    let count = stream.read(&mut piece).context("read")?;
    bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    Ok(count)
}

fn read_to(stream: &mut TcpStream, bytes: &mut Vec<u8>, length: usize) -> Result<()> {
    while bytes.len() < length {
        if read_some(stream, bytes)? == 0 {
            bail!("{} of {length} bytes came", bytes.len());
        }
    }
    Ok(())
}

fn read_chunks_end(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    while !bytes.ends_with(b"0\r\n\r\n") {
        if read_some(stream, bytes)? == 0 {
            bail!("the body has no end");
        }
    }
    Ok(())
}

fn parse_head(head: &str) -> Result<(String, Vec<(String, String)>)> {
    let mut lines = head.split("\r\n");
    let first = lines.next().context("an empty head")?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Ok((first, headers))
}

fn length_of(headers: &[(String, String)]) -> Option<usize> {
    let length = headers.iter().find(|(name, _)| name == "content-length");
    length.and_then(|(_, value)| value.parse().ok())
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = bytes.get(..end).map(String::from_utf8_lossy).unwrap_or_default();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16);
        let Some(size) = size.ok().filter(|size| *size > 0) else { break };
        let start = end.saturating_add(2);
        body.extend_from_slice(bytes.get(start..start.saturating_add(size)).unwrap_or_default());
        bytes = bytes.get(start.saturating_add(size).saturating_add(2)..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_a_body() {
        assert_eq!(dechunk(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), b"abcde");
    }

    #[test]
    fn a_range_is_answered_with_its_part() {
        let ask = |range: &str| Request {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            headers: vec![("range".to_owned(), range.to_owned())],
            body: Vec::new(),
        };
        let part = Reply::part(&ask("bytes=2-3"), b"abcdef");
        assert_eq!((part.status, part.body.as_slice()), (206, b"cd".as_slice()));
        assert!(part.headers.contains(&("content-range".to_owned(), "bytes 2-3/6".to_owned())));
        assert_eq!(Reply::part(&ask("bytes=4-"), b"abcdef").body, b"ef");
        assert_eq!(Reply::part(&ask("bytes=9-"), b"abcdef").status, 200);
    }

    #[test]
    fn a_head_is_read_in_any_case() {
        let (first, headers) =
            parse_head("GET /a HTTP/1.1\r\nHost: x\r\nRANGE: bytes=1-\r\n\r\n").unwrap();
        assert_eq!(first, "GET /a HTTP/1.1");
        assert_eq!(headers.last().unwrap(), &("range".to_owned(), "bytes=1-".to_owned()));
    }
}
