//! 32 the second signer is shown a stale base that adds a withdrawn approval again.
