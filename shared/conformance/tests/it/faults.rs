//! What a database can do wrong, one thing at a time, and which rules must not hold then.

macro_rules! faults {
    ($($(#[doc = $what:literal])+ $name:ident => [$($rule:literal),+ $(,)?],)+) => {
        /// One fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault {
            $($(#[doc = $what])+ $name,)+
        }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The rules that the kit must find broken, and no others.
            pub fn breaks(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($rule),+],)+
                }
            }
        }
    };
}

faults! {
    /// A client of TLS 1.2 is greeted.
    OlderTls => ["DB-1"],
    /// HTTP/2 is spoken, but not agreed on.
    NoAlpn => ["DB-1"],
    /// A client without a certificate is answered.
    NoCertificateWanted => ["DB-2"],
    /// Whoever issued a certificate, it is taken.
    AnyAuthority => ["DB-2"],
    /// Nobody looks at the allow list.
    StrangerServed => ["DB-3"],
    /// Who is not on the allow list is UNAUTHENTICATED.
    StrangerUnauthenticated => ["DB-3"],
    /// Nor may who is not on the allow list see the description.
    StrangerSeesNoDescription => ["DB-3"],
    /// Health knows every service.
    HealthKnowsEverything => ["DB-4"],
    /// Health of a role is NOT_SERVING.
    HealthOfARole => ["DB-4"],
    /// A method that is not there is INTERNAL.
    UnknownMethodInternal => ["DB-5"],
    /// Errors without ErrorInfo.
    NoErrorInfo => ["DB-6"],
    /// Errors of another domain.
    OtherDomain => ["DB-6"],
    /// Reasons that the contract does not have; every rule that names one sees another.
    OwnReasons => ["DB-6", "LKP-8", "LKP-31", "SNK-6", "SRC-7", "SRC-22"],
    /// Faulty fields are named one by one.
    FirstFieldOnly => ["DB-7"],
    /// Faulty fields are not named.
    NoBadRequest => ["DB-7"],
    /// The reasons of faulty fields are of its own.
    OwnFieldFaults => ["DB-7"],
    /// What is no message ends the connection.
    MalformedEndsConnection => ["DB-8"],
    /// What is no message is an empty one.
    MalformedAnswered => ["DB-8"],
    /// There is no limit to a request.
    TooLargeTaken => ["DB-9"],
    /// A request that is too large is OUT_OF_RANGE.
    TooLargeOutOfRange => ["DB-9"],
    /// A deadline is not kept.
    DeadlineIgnored => ["DB-10"],
    /// A deadline is kept two seconds late.
    DeadlineLate => ["DB-10"],
    /// Who cancels a call loses its place.
    CancelledLeaks => ["DB-11"],
    /// Only twelve calls at once.
    TwelveAtOnce => ["DB-12"],
    /// Whoever sends what is not known is refused.
    UnknownFieldRefused => ["DB-13"],
    /// Whoever takes nothing holds up everybody.
    SlowReaderHoldsUp => ["DB-14"],
    /// There is no reflection.
    NoReflection => ["DB-15"],
    /// It has no name.
    Nameless => ["DB-20"],
    /// A role stands twice.
    RoleTwice => ["DB-20"],
    /// An item stands twice.
    ItemTwice => ["DB-21"],
    /// It does not say how long it keeps.
    NoRetention => ["DB-22"],
    /// Two changes stand in the wrong order.
    OrderGoneBack => ["SRC-1"],
    /// A page that is read again has other bytes.
    OtherBytesAgain => ["SRC-2"],
    /// The last change of a page is the first of the next.
    TwiceAcrossPages => ["SRC-3"],
    /// Between pages of two one is lost.
    LostAcrossPages => ["SRC-3"],
    /// Pages of one end after ten changes.
    OneByOneEndsEarly => ["SRC-3"],
    /// A change without the unit of its ground.
    HalfBasis => ["SRC-4"],
    /// A change without an event.
    NoEvent => ["SRC-4"],
    /// A life event without the documents on which it rests.
    NoEvidence => ["SRC-4"],
    /// Cursors of 300 characters.
    LongCursors => ["SRC-5"],
    /// Cursors with the number of a person.
    PersonalCursors => ["SRC-5"],
    /// The cursor of a change means that change.
    OwnCursorMeansItself => ["SRC-6"],
    /// A cursor that is not known means the beginning.
    UnknownMeansBeginning => ["SRC-7"],
    /// A cursor that is not known means the end.
    UnknownMeansEnd => ["SRC-7"],
    /// A cursor that is too long is INVALID_REQUEST.
    TooLongInvalid => ["SRC-7"],
    /// A cursor that has expired means the oldest change.
    ExpiredMeansOldest => ["SRC-8"],
    /// A cursor that has expired is unknown.
    ExpiredUnknown => ["SRC-8"],
    /// After a restart sequences are others.
    RestartRenumbers => ["SRC-9"],
    /// After a restart changes are gone.
    RestartLoses => ["SRC-9"],
    /// A change about a person who is not synthetic.
    RealNumberListed => ["SRC-10"],
    /// Commit times go back.
    TimeGoesBack => ["SRC-11"],
    /// The empty cursor means the newest twenty.
    EmptyMeansNewest => ["SRC-20"],
    /// The empty cursor means the end.
    EmptyMeansEnd => ["SRC-20"],
    /// A page has one change more than was asked for.
    PageOfOneMore => ["SRC-21"],
    /// A page has as many changes as were asked for.
    NoPageSizeMax => ["SRC-21"],
    /// A negative size means none.
    NegativeTaken => ["SRC-22"],
    /// A page of more than 4 MiB.
    HugePage => ["SRC-23"],
    /// At the end there is no cursor.
    NoCursorAtTheEnd => ["SRC-24"],
    /// What is committed later is not found from the end.
    EndIsForEver => ["SRC-24"],
    /// Every page says that it is the last.
    EndReachedAlways => ["SRC-25"],
    /// No page says that it is the last.
    EndReachedNever => ["SRC-25"],
    /// The stream leaves one change out.
    StreamLosesOne => ["SRC-30"],
    /// The stream has other bytes.
    StreamOtherBytes => ["SRC-30"],
    /// The stream ends with an error.
    StreamEndsWithError => ["SRC-31"],
    /// A stream that follows ends at the end of the list.
    FollowEndsAtOnce => ["SRC-32"],
    /// A stream that follows knows no deadline.
    FollowKnowsNoDeadline => ["SRC-32"],
    /// A stream that follows begins with what is new.
    FollowBeginsLate => ["SRC-32"],
    /// A stream that follows does not bring what is committed later.
    FollowBringsNothing => ["SRC-32"],
    /// The cursors of a stream leave one change out.
    StreamCursorBeyond => ["SRC-33"],
    /// An outcome is missing where many are asked.
    OutcomeMissing => ["LKP-1"],
    /// Outcomes are sorted.
    OutcomesSorted => ["LKP-1"],
    /// Without claims nobody is known.
    ClaimsWanted => ["LKP-1"],
    /// The answer names no subject.
    NoSubject => ["LKP-2"],
    /// The answer does not repeat the question's id.
    NoRequestId => ["LKP-2"],
    /// The values are somebody else's.
    OtherPerson => ["LKP-2"],
    /// A person who is not known is an error, and with that distinguishable.
    UnknownIsError => ["LKP-3", "LKP-4", "LKP-30"],
    /// NO_MATCH with outcomes.
    NoMatchWithItems => ["LKP-3"],
    /// Other claims are told apart by an outcome.
    OtherClaimsTold => ["LKP-4"],
    /// Claims are not compared.
    ClaimsIgnored => ["LKP-4"],
    /// Other claims are told apart by a trailer.
    OtherClaimsTrailer => ["LKP-4"],
    /// Other claims are told apart by a subject that is not repeated.
    OtherClaimsNoSubject => ["LKP-4"],
    /// An item that is unknown is not held.
    UnknownItemNotHeld => ["LKP-5"],
    /// An empty value stands for none.
    EmptyValue => ["LKP-5"],
    /// A date as a text.
    DateAsText => ["LKP-6"],
    /// A code without its version.
    CodeWithoutVersion => ["LKP-6"],
    /// The third time the answer is another one.
    ThirdTimeOther => ["LKP-7"],
    /// A wildcard is taken.
    WildcardTaken => ["LKP-8"],
    /// A warrant of any size is taken.
    WarrantUnlimited => ["LKP-8"],
    /// A token is taken for a person who is not known.
    TokenTaken => ["LKP-8"],
    /// A faulty question uses its warrant up.
    FaultyUsesWarrant => ["LKP-8"],
    /// A question without a warrant is answered.
    NoWarrantWanted => ["LKP-40"],
    /// Nobody looks at signatures.
    SignatureIgnored => ["LKP-41", "LKP-42"],
    /// Padding of base64 is taken.
    PaddingTaken => ["LKP-42"],
    /// The header says how it is signed.
    AlgorithmTaken => ["LKP-43"],
    /// A warrant never ends.
    ExpiredTaken => ["LKP-44"],
    /// A warrant may hold for any time.
    LongLivedTaken => ["LKP-44"],
    /// A warrant begins at once.
    NotYetTaken => ["LKP-45"],
    /// A warrant for another database is taken.
    AudienceIgnored => ["LKP-46"],
    /// A warrant of another issuer is taken.
    IssuerIgnored => ["LKP-46"],
    /// Whoever presents it, it is taken.
    HolderIgnored => ["LKP-47"],
    /// Which warrants were used, nobody remembers.
    ReplayTaken => ["LKP-48", "LKP-52"],
    /// Whether a warrant was used is looked at before it is noted, and others come in between.
    ReplayRaces => ["LKP-48"],
    /// A warrant about anybody is taken.
    SubjectIgnored => ["LKP-49"],
    /// A warrant for any items is taken.
    ItemsIgnored => ["LKP-50"],
    /// In comparisons a warrant for any items is taken.
    ComparedItemsIgnored => ["LKP-50"],
    /// A warrant on any ground is taken.
    GroundIgnored => ["LKP-51"],
    /// After a restart it is not known which warrants were used.
    RestartForgetsWarrants => ["LKP-52"],
    /// A warrant with a claim that is not known is refused.
    LaterClaimRefused => ["LKP-53"],
    /// The number of a relative is not synthetic.
    RealNumberAnswered => ["LKP-9"],
    /// Comparisons are answered backwards.
    VerifyBackwards => ["LKP-20"],
    /// What does not agree is not held.
    MismatchNotHeld => ["LKP-20"],
    /// A comparison that does not agree brings the value.
    VerifyLeaks => ["LKP-21"],
    /// Many questions are answered backwards.
    ManyBackwards => ["LKP-30"],
    /// One of many questions is not answered.
    ManyMissing => ["LKP-30"],
    /// Answers come before a faulty question is seen.
    FaultyMidway => ["LKP-31"],
    /// There is no limit to questions.
    NoQueriesMax => ["LKP-31"],
    /// Results of a large delivery are backwards.
    ResultsBackwards => ["SNK-1"],
    /// A result of a large delivery is missing.
    ResultMissing => ["SNK-1"],
    /// What comes again is stored again.
    DuplicateStored => ["SNK-2"],
    /// What comes twice in one delivery is stored twice.
    TwiceInOneDelivery => ["SNK-2"],
    /// What comes again about a person is obsolete.
    DuplicateObsolete => ["SNK-2", "SNK-4"],
    /// What has other bytes is stored.
    ConflictStored => ["SNK-3"],
    /// What has other bytes is a duplicate.
    ConflictDuplicate => ["SNK-3"],
    /// An old version is stored.
    ObsoleteStored => ["SNK-4"],
    /// The same version is stored.
    SameVersionStored => ["SNK-4"],
    /// A kind that is not known ends the delivery.
    UnsupportedRefused => ["SNK-5"],
    /// A kind that is not known is stored.
    UnsupportedStored => ["SNK-5"],
    /// An empty delivery is taken.
    EmptyTaken => ["SNK-6"],
    /// There is no limit to a delivery.
    NoEventsMax => ["SNK-6"],
    /// Of a refused delivery something is stored.
    RefusedStored => ["SNK-6"],
    /// An event without a time is taken, and is therefore no faulty field either.
    TimelessTaken => ["SNK-6", "DB-7"],
    /// After a restart events are gone.
    RestartForgets => ["SNK-7"],
}
