//! The clinical socket: connections of applications on this device, and what they say.
//!
//! A `SOCK_SEQPACKET` socket in the file system; the kernel says which user connects. It is read
//! when [`Socket::look`] is called: the device looks often, and always right before it decides, so
//! that no answer waits unread in a queue. A flood costs at most a fixed amount of work per look.
//! What the words mean is in `protocol::clinical::participants`. Not here: deciding.
//! Invariant: nothing is removed from the file system but a dead socket of our own.

use crate::config::SocketSettings;
use patchward_protocol::clinical::participants::{
    Action, Closed, Event, Lock, Participants, PeerId, Shown, Word,
};
use patchward_protocol::clinical::{DeferMinutes, ToApp};
use patchward_protocol::id::PersonId;
use patchward_protocol::limits::CLINICAL_MESSAGE_BYTES_MAX;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    bind, connect, listen, recv, send, socket_with, sockopt,
};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

/// Most connections that wait to be accepted, and that are accepted in one look.
const BACKLOG: i32 = 16;
/// Most messages read from one connection in one look: more than a socket's queue holds.
const MESSAGES_PER_LOOK_MAX: usize = 512;
/// Least time between two lines of the log about connections that were closed, in milliseconds.
const WARN_MS_MIN: u64 = 10_000;
/// Others may not write the folder of the socket.
const OTHERS_WRITE: u32 = 0o022;

/// The socket, its connections, and what they said.
#[derive(Debug)]
pub(super) struct Socket {
    listener: OwnedFd,
    _file: SocketFile,
    links: BTreeMap<PeerId, Link>,
    participants: Participants,
    next: PeerId,
    /// When nobody waited to be accepted last: who is accepted now may have spoken since then.
    nobody_waited_boot_ms: Option<u64>,
    deferred: Vec<(DeferMinutes, PersonId)>,
    warned_boot_ms: Option<u64>,
}

#[derive(Debug)]
struct Link {
    fd: OwnedFd,
    /// When its queue was last seen empty.
    empty_boot_ms: u64,
}

/// The socket's name in the file system; goes with it, if it is still ours.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Why the socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenSocket {
    #[error("others may write the folder {0}")]
    OpenFolder(PathBuf),
    #[error("{0} is there and is not a socket of this user")]
    NotOurs(PathBuf),
    #[error("another agent listens at {0}")]
    Taken(PathBuf),
    #[error("{during} {path}")]
    Disk {
        during: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What is asked of the participants before an update begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// How soon the answer is needed, in seconds.
    pub(super) in_s: u32,
    /// How long the device may be out of use, in seconds.
    pub(super) est_s: u64,
}

impl Socket {
    /// Opens the socket; makes its folder, and removes a dead socket of ours.
    pub(super) fn open(settings: &SocketSettings) -> Result<Self, OpenSocket> {
        let path = &settings.path;
        let failed = |during| {
            move |source: io::Error| OpenSocket::Disk { during, path: path.clone(), source }
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        check_folder(folder)?;
        let address = SocketAddrUnix::new(path).map_err(|e| failed("naming")(e.into()))?;
        remove_dead(path, &address)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(|e| failed("making")(e.into()))?;
        bind(&listener, &address).map_err(|e| failed("binding")(e.into()))?;
        // Nobody can connect before `listen`, so the mode is right from the first connection on.
        let mode = std::fs::Permissions::from_mode(0o660);
        std::fs::set_permissions(path, mode).map_err(failed("opening to the group"))?;
        let meta = std::fs::symlink_metadata(path).map_err(failed("looking at"))?;
        let file = SocketFile { path: path.clone(), identity: (meta.dev(), meta.ino()) };
        listen(&listener, BACKLOG).map_err(|e| failed("listening at")(e.into()))?;
        let participants =
            Participants::new(settings.participants.clone(), settings.operators.clone());
        let (links, deferred) = (BTreeMap::new(), Vec::new());
        Ok(Self {
            listener,
            _file: file,
            links,
            participants,
            next: 0,
            nobody_waited_boot_ms: None,
            deferred,
            warned_boot_ms: None,
        })
    }

    /// Takes new connections and reads everything that was said.
    pub(super) fn look(&mut self, boot_ms: u64) {
        for _connection in 0..BACKLOG {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match accept_with(&self.listener, flags) {
                Ok(fd) => self.accept(fd, boot_ms),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => {
                    self.nobody_waited_boot_ms = Some(boot_ms);
                    break;
                }
                Err(_none_or_no_room) => break,
            }
        }
        let ids: Vec<PeerId> = self.links.keys().copied().collect();
        for id in ids {
            self.hear(id, boot_ms);
        }
        self.step(Event::Tick, boot_ms);
    }

    /// What all participants together said, up to the last look.
    pub(super) fn word(&self, boot_ms: u64) -> Word {
        self.participants.word(boot_ms)
    }

    /// What each said, for people.
    pub(super) fn shown(&self, boot_ms: u64) -> Vec<Shown> {
        self.participants.shown(boot_ms)
    }

    /// Deferrals that were said since this was last asked.
    pub(super) fn take_deferred(&mut self) -> Vec<(DeferMinutes, PersonId)> {
        std::mem::take(&mut self.deferred)
    }

    /// Asks the participants to lock the start of therapy.
    pub(super) fn prepare(&mut self, question: Question, boot_ms: u64) {
        self.step(Event::Prepare { in_s: question.in_s, est_s: question.est_s }, boot_ms);
    }

    /// Says that it begins, if every lock is held and everybody could be told.
    pub(super) fn go(&mut self, boot_ms: u64) -> Lock {
        let locked = matches!(self.word(boot_ms), Word::Free { lock: Lock::Held, .. });
        let told = self.step(Event::Go, boot_ms);
        match (locked, told) {
            (true, Told::Everybody) => Lock::Held,
            (true, Told::NotEverybody) => {
                self.release(boot_ms);
                Lock::Open
            }
            (false, Told::Everybody | Told::NotEverybody) => Lock::Open,
        }
    }

    /// Says that it does not begin, or is over.
    pub(super) fn release(&mut self, boot_ms: u64) {
        self.step(Event::Release, boot_ms);
    }

    fn accept(&mut self, fd: OwnedFd, boot_ms: u64) {
        // A user that the kernel does not tell is nobody.
        let Ok(user) = sockopt::socket_peercred(&fd) else { return };
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let empty_boot_ms = self.nobody_waited_boot_ms.unwrap_or(boot_ms);
        self.links.insert(id, Link { fd, empty_boot_ms });
        self.step(Event::Connected { peer: id, uid: user.uid.as_raw() }, boot_ms);
    }

    fn hear(&mut self, id: PeerId, boot_ms: u64) {
        // One byte more than a message may have: what fills it is too long.
        let mut buffer = [0; CLINICAL_MESSAGE_BYTES_MAX + 1];
        for _message in 0..MESSAGES_PER_LOOK_MAX {
            let Some(link) = self.links.get_mut(&id) else { return };
            match recv(&link.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length @ 1.., _)) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    let not_before_boot_ms = link.empty_boot_ms;
                    self.step(Event::Heard { peer: id, bytes, not_before_boot_ms }, boot_ms);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    link.empty_boot_ms = boot_ms;
                    return;
                }
                Ok((0, _)) | Err(_) => {
                    self.links.remove(&id);
                    self.step(Event::Gone { peer: id }, boot_ms);
                    return;
                }
            }
        }
    }

    fn step(&mut self, event: Event<'_>, boot_ms: u64) -> Told {
        let mut told = Told::Everybody;
        for action in self.participants.step(event, boot_ms) {
            match action {
                Action::Send(id, message) => {
                    if !self.say(id, &message) {
                        self.links.remove(&id);
                        self.participants.step(Event::Gone { peer: id }, boot_ms);
                        told = Told::NotEverybody;
                    }
                }
                Action::Close(id, why) => {
                    self.links.remove(&id);
                    self.warn(why, boot_ms);
                }
                Action::Defer(minutes, by) => self.deferred.push((minutes, by)),
            }
        }
        told
    }

    /// Anybody on the device can cause this: not a line for each.
    fn warn(&mut self, why: Closed, boot_ms: u64) {
        let long_ago = |last: u64| boot_ms.saturating_sub(last) >= WARN_MS_MIN;
        if self.warned_boot_ms.is_none_or(long_ago) {
            self.warned_boot_ms = Some(boot_ms);
            tracing::warn!(%why, "a connection to the clinical socket was closed");
        }
    }

    /// Whether the message is on its way. Who does not read is not waited for.
    fn say(&self, id: PeerId, message: &ToApp) -> bool {
        let Some(link) = self.links.get(&id) else { return false };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        send(&link.fd, &message.write(), flags).is_ok()
    }
}

/// Whether every message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Everybody,
    NotEverybody,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "the clinical socket could not be removed");
        }
    }
}

/// The folder is there, belongs to us or to root, and others cannot write it.
fn check_folder(folder: &Path) -> Result<(), OpenSocket> {
    let failed = |during| {
        move |source: io::Error| OpenSocket::Disk { during, path: folder.to_owned(), source }
    };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder);
    made.map_err(failed("making the folder"))?;
    let meta = std::fs::symlink_metadata(folder).map_err(failed("looking at"))?;
    let owner_fits = meta.uid() == us() || meta.uid() == 0;
    if !meta.is_dir() || !owner_fits || meta.mode() & OTHERS_WRITE != 0 {
        return Err(OpenSocket::OpenFolder(folder.to_owned()));
    }
    Ok(())
}

/// Removes what stands at the path, if it is a socket of ours that nobody listens at.
fn remove_dead(path: &Path, address: &SocketAddrUnix) -> Result<(), OpenSocket> {
    let failed = |during| {
        move |source: io::Error| OpenSocket::Disk { during, path: path.to_owned(), source }
    };
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looking at")(error)),
    };
    if !meta.file_type().is_socket() || meta.uid() != us() {
        return Err(OpenSocket::NotOurs(path.to_owned()));
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|e| failed("making")(e.into()))?;
    match connect(&probe, address) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path).map_err(failed("removing")),
        Ok(()) | Err(_) => Err(OpenSocket::Taken(path.to_owned())),
    }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests;
