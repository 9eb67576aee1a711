//! Annulments of what was sent before.

use contract::contribution::v1::SubmitContributionRequest;
use rand::Rng as _;
use tests::events::annulment;

use super::{Annulled, Round, Running, Sent, kept, oracle::Person, submit};

/// An annulment of something that was sent.
pub(super) struct Annulment {
    /// Whom that was about, with which items, and who sent it.
    pub(super) who: Vec<usize>,
    pub(super) items: Vec<String>,
    pub(super) client: &'static str,
    /// The key of what is annulled.
    pub(super) key: String,
    pub(super) request: SubmitContributionRequest,
    /// To which records those led.
    pub(super) roots: Vec<usize>,
    /// The reasons for which the oracle refuses it, if it does: the last one of each person whom it is about.
    pub(super) refused: Vec<&'static str>,
}

impl<R: Running> Round<R> {
    /// Something that was sent is annulled, if it counts: a contribution, or what annulled one.
    pub(super) async fn annuls(&mut self) {
        if self.sent.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.sent.len());
        let Annulment { who, items, client, key, request, roots, refused } = self.annulment(place);
        let came = submit(&self.whole.contributes(client), &request).await;
        match &came {
            Ok(answered) => {
                assert!(refused.is_empty(), "{key} was annulled, and must not be: {refused:?}");
                self.annul(&who, &key, &request.idempotency_key);
                let records = self.records(&who, &roots);
                self.taken(&who, &records, &answered.answer);
            }
            Err(error) => {
                let reasons: Vec<&str> = error.unmet.iter().map(|(r, _)| r.as_str()).collect();
                assert_eq!(reasons, refused, "{key}: {error:?}");
            }
        }
        self.sent.push(Sent { who: who.clone(), items, client, request, came: kept(came) });
        for who in who {
            self.compare(who, None, None).await;
        }
    }

    /// The annulment of what was sent at a place.
    pub(super) fn annulment(&mut self, place: usize) -> Annulment {
        let earlier = &self.sent[place];
        let (who, items, client) = (earlier.who.clone(), earlier.items.clone(), earlier.client);
        let key = earlier.request.idempotency_key.clone();
        let counts = earlier.came.is_ok() && self.persons[who[0]].counts(&key, usize::MAX);
        let by = format!("m-{}", self.sent.len());
        let named: Vec<&str> = items.iter().map(String::as_str).collect();
        let mut request = annulment(&by, "", key.trim_start_matches("key:"), &named);
        request.basis.clone_from(&earlier.request.basis);
        // What it brings back must not be a second spouse.
        let before: Vec<_> = who.iter().map(|who| self.spouses_before(*who)).collect();
        let led = self.led();
        let roots: Vec<usize> = who.iter().map(|who| self.root(*who, usize::MAX)).collect();
        let persons: Vec<Person> = who.iter().map(|who| self.now(*who)).collect();
        self.annul(&who, &key, &request.idempotency_key);
        let mut refused = if counts {
            self.cannot_be_again(&persons, &roots, &led)
        } else {
            vec!["NOTHING_TO_ANNUL"]
        };
        let more = |(who, (whole, alone)): (&usize, (usize, usize))| {
            let apart = self.root(*who, usize::MAX) == *who && led[*who] != *who;
            let after = self.living_spouses(*who);
            after > 1 && after > if apart { alone } else { whole }
        };
        if refused.is_empty() && who.iter().zip(before).any(more) {
            refused.push("ALREADY_MARRIED");
        }
        for who in &who {
            self.persons[*who].annulled.pop();
        }
        Annulment { who, items, client, key, request, roots, refused }
    }

    /// The oracle hears of an annulment.
    pub(super) fn annul(&mut self, who: &[usize], key: &str, by: &str) {
        for who in who {
            let annulled = Annulled { key: key.to_owned(), by: by.to_owned(), place: self.said };
            self.persons[*who].annulled.push(annulled);
        }
    }
}
