//! Patterns that name events in groups, so that every state lists all events it does not take and a
//! new event is never overlooked.

macro_rules! documents {
    () => {
        Event::Offered { .. } | Event::Withdrawn { .. }
    };
}
macro_rules! staging {
    () => {
        Event::FetchDue | Event::Staged { .. } | Event::StageFailed { .. } | Event::StageLost { .. }
    };
}
macro_rules! gate {
    () => {
        Event::Blocked { .. } | Event::Go { .. }
    };
}
macro_rules! activation {
    () => {
        Event::Activated | Event::ActivationFailed { .. }
    };
}
macro_rules! restart {
    () => {
        Event::Restarted | Event::RestartFailed { .. }
    };
}
macro_rules! health {
    () => {
        Event::Healthy { .. } | Event::Unhealthy { .. }
    };
}
macro_rules! persons {
    () => {
        Event::Accepted { .. } | Event::Rejected { .. } | Event::Serviced { .. }
    };
}
macro_rules! endings {
    () => {
        Event::Kept
            | Event::KeepFailed { .. }
            | Event::WentBack
            | Event::GoingBackFailed { .. }
            | Event::Discarded
    };
}
