//! Every limit of the connection, with its unit in its name.

/// Longest wait for a connection, name look-up and TLS included, in seconds.
pub const CONNECT_S_MAX: u64 = 20;
/// Longest wait for the head of an answer, in seconds.
pub const ANSWER_S_MAX: u64 = 60;
/// A body is measured in windows of this many seconds.
pub const SPEED_WINDOW_S: u64 = 30;
/// Lowest speed of a body, in bytes a second, as the mean of a window.
pub const SPEED_BYTES_PER_S_MIN: u64 = 1024;
/// Most bytes of the head of an answer.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header lines of an answer.
pub const HEADERS_MAX: usize = 64;
/// Most bytes read ahead from the connection.
pub const READ_AHEAD_BYTES_MAX: usize = 64 * 1024;
/// Most bytes of a path.
pub const PATH_BYTES_MAX: usize = 1024;
/// Most bytes of the file of certificate authorities.
pub const CA_BYTES_MAX: usize = 1024 * 1024;
