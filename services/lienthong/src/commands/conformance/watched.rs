//! What a person sees while the kit runs: a line for each case as it ends, and, on a terminal, what is being tried.

use std::{cell::Cell, time::Duration};

use ::conformance::{Event, report::case_line};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::output::say;

/// The progress of a run.
pub(super) struct Watch {
    bar: ProgressBar,
    begun: Cell<bool>,
}

impl Watch {
    pub(super) fn new() -> Self {
        // Nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {pos}/{len} {msg}");
        let bar = match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self { bar, begun: Cell::new(false) }
    }

    pub(super) fn see(&self, event: Event<'_>) {
        match event {
            Event::Begun(cases) => {
                self.bar.set_length(cases as u64);
                self.bar.enable_steady_tick(Duration::from_millis(100));
                self.begun.set(true);
            }
            Event::Trying(rule) => self.bar.set_message(format!("{} {}", rule.id, rule.of)),
            Event::Tried(case) => {
                self.bar.suspend(|| say(&case_line(case)));
                self.bar.inc(1);
            }
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        if self.begun.get() {
            say("");
        }
    }
}
