//! The whole story end to end: real programs, every signature by the command line, every byte compared.

#[cfg(test)]
mod at_the_device;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod big;
#[cfg(test)]
mod clinical;
#[cfg(test)]
mod delta;
#[cfg(test)]
mod golden_truth;
#[cfg(test)]
mod golden_windows;
#[cfg(test)]
mod planned;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod rollout;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod story;
#[cfg(test)]
mod why;
