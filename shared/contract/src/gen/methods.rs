// Made by tests/generate.rs from proto/. Do not edit.

/// Full path of every method, and whether a call of it may be repeated: a read, or a write under a key
/// (`idempotency_level`), of one request and one answer.
pub const METHODS: &[(&str, bool)] = &[
    ("/lienthong.audit.v1.AuditService/Append", true),
    ("/lienthong.contribution.v1.ContributionService/SubmitContribution", true),
    ("/lienthong.contribution.v1.ContributionService/StreamContributions", false),
    ("/lienthong.contribution.v1.IngestService/Ingest", true),
    ("/lienthong.database.v1.DatabaseService/DescribeDatabase", true),
    ("/lienthong.database.v1.LookupService/GetRecord", true),
    ("/lienthong.database.v1.LookupService/VerifyRecord", true),
    ("/lienthong.database.v1.LookupService/StreamRecords", false),
    ("/lienthong.database.v1.SinkService/DeliverEvents", true),
    ("/lienthong.database.v1.SourceService/ListChanges", true),
    ("/lienthong.database.v1.SourceService/StreamChanges", false),
    ("/lienthong.exchange.v1.RouteService/ListRoutes", true),
    ("/lienthong.exchange.v1.RouteService/ListDeadLetters", true),
    ("/lienthong.exchange.v1.RouteService/SettleDeadLetter", true),
    ("/lienthong.identity.v1.IdentityService/GetPerson", true),
    ("/lienthong.identity.v1.IdentityService/VerifyClaims", true),
    ("/lienthong.identity.v1.IdentityService/ExplainValue", true),
    ("/lienthong.identity.v1.IdentityService/LookupStream", false),
    ("/lienthong.identity.v1.RelationService/ListRelations", true),
    ("/lienthong.identity.v1.RelationService/GetHousehold", true),
    ("/lienthong.identity.v1.SearchService/ResolvePerson", true),
    ("/lienthong.identity.v1.SearchService/SearchPersons", true),
    ("/lienthong.identity.v1.TokenService/RotateTokens", true),
    ("/lienthong.policy.v1.PolicyService/Decide", true),
    ("/lienthong.register.v1.FeedService/ListChanges", true),
    ("/lienthong.register.v1.RegisterService/Apply", true),
];
