//! `x-forwarded-client-cert` as Envoy writes it: elements apart by commas, one for each proxy on the way; in each,
//! `key=value` pairs apart by semicolons; a value with any of `,;="` is quoted, with a backslash before whatever
//! would end it (Envoy, "HTTP header manipulation"). Pure.

/// The URI of the client's certificate, where the header speaks of one hop and of one URI. A proxy that sanitizes
/// (SANITIZE_SET) writes exactly that. A second element is what somebody before the proxy has said, and with a second
/// URI nobody can say which one is meant: either makes it nobody.
pub(super) fn uri(header: &str) -> Option<String> {
    let mut uri = None;
    let mut rest = header;
    loop {
        let (key, value, after) = pair(rest)?;
        if key.eq_ignore_ascii_case("uri") && uri.replace(value).is_some() {
            return None;
        }
        match after.strip_prefix(';') {
            Some(next) => rest = next,
            // Whatever else there is, a comma and another element, is refused as a whole.
            None => return if after.is_empty() { uri } else { None },
        }
    }
}

/// The first pair, and what comes behind it.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (key, rest) = text.split_once('=')?;
    // No key has any other character, so nothing hides before one.
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([',', ';']).unwrap_or(rest.len());
        let (value, after) = rest.split_at_checked(end)?;
        return (!value.contains(['"', '='])).then(|| (key, value.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => return Some((key, value, characters.as_str())),
            // A subject is escaped by RFC 2253 already, so a backslash stands before more than quotes.
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDENTITY: &str = "spiffe://cluster.local/ns/lienthong/sa/identity";

    fn check(header: &str, expect: Option<&str>) {
        assert_eq!(uri(header).as_deref(), expect, "{header}");
    }

    #[test]
    fn one_hop_with_one_uri_is_who_it_says() {
        for header in [
            format!("URI={IDENTITY}"),
            format!("uri={IDENTITY}"),
            format!("By=spiffe://x/y;Hash=468ed33be74eee65;URI={IDENTITY}"),
            format!("Hash=0a;Subject=\"CN=a,O=b;c=d\";URI={IDENTITY};DNS=a.test;DNS=b.test"),
            format!("Subject=\"\";URI=\"{IDENTITY}\";Cert=\"-----BEGIN%20CERTIFICATE-----\""),
            // As RFC 2253 escapes them: quotes, commas, and a backslash at the very end.
            format!(r#"Subject="CN=\"a\",O=b\, c,OU=d\\";URI={IDENTITY}"#),
        ] {
            check(&header, Some(IDENTITY));
        }
    }

    #[test]
    fn i2_whatever_else_it_says_is_nobody() {
        for header in [
            String::new(),
            ";".to_owned(),
            IDENTITY.to_owned(),
            "By=spiffe://x/y;Hash=0a".to_owned(),
            // More than one hop: what the first says, a caller may have said.
            format!("URI={IDENTITY},URI=spiffe://x/y"),
            format!("By=a;URI={IDENTITY},By=b;URI={IDENTITY}"),
            format!("URI={IDENTITY},"),
            format!(",URI={IDENTITY}"),
            format!("Hash=0a,URI={IDENTITY}"),
            // More than one URI, also the same one, in any case of letters.
            format!("URI=spiffe://x/y;URI={IDENTITY}"),
            format!("URI={IDENTITY};uri={IDENTITY}"),
            // A certificate whose URI is meant to break out of its value.
            format!("By=a;URI=spiffe://x/evil;URI={IDENTITY}"),
            format!("By=a;URI=spiffe://x/evil,By=a;URI={IDENTITY}"),
            format!("By=a;URI=spiffe://x/?a={IDENTITY}"),
            // Quotes that do not end, begin late, or are followed by something.
            format!("Subject=\"CN=a;URI={IDENTITY}"),
            format!("Subject=\"CN=a\\\";URI={IDENTITY}"),
            format!("URI=\"{IDENTITY}"),
            format!("URI=\"{IDENTITY}\"x"),
            format!("URI=\"{IDENTITY}\\"),
            format!("URI=x\"{IDENTITY}\""),
            // What no proxy writes.
            format!(" URI={IDENTITY}"),
            format!("URI ={IDENTITY}"),
            format!("=;URI={IDENTITY}"),
            format!("URI={IDENTITY};"),
            format!("URI={IDENTITY};x"),
        ] {
            check(&header, None);
        }
        // These are somebody, but not whom they resemble.
        check(&format!("URI= {IDENTITY}"), Some(&format!(" {IDENTITY}")));
        check("URI=", Some(""));
    }

    /// As Envoy writes a value: quoted where it must be.
    fn written(value: &str) -> String {
        if value.contains([',', ';', '=', '"', '\\']) {
            format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        } else {
            value.to_owned()
        }
    }

    fn element(pairs: &[(&str, String)]) -> String {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={}", written(v))).collect();
        pairs.join(";")
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(uri_ in "[ -~]{0,40}", others in prop::collection::vec(
            (prop::sample::select(vec!["By", "Hash", "Subject", "DNS", "Cert"]), "[ -~]{0,20}"), 0..5,
        ), at in 0usize..6) {
            let mut pairs = others;
            pairs.insert(at.min(pairs.len()), ("URI", uri_.clone()));
            let header = element(&pairs);
            prop_assert_eq!(uri(&header), Some(uri_));
            // A second hop, before or behind, or a second URI: nobody.
            prop_assert_eq!(uri(&format!("{header},{header}")), None);
            prop_assert_eq!(uri(&format!("By=x,{header}")), None);
            prop_assert_eq!(uri(&format!("{header};URI=x")), None);
        }

        #[test]
        fn without_a_uri_it_is_nobody(others in prop::collection::vec(
            (prop::sample::select(vec!["By", "Hash", "Subject", "DNS", "Cert"]), "[ -~]{0,20}"), 0..5,
        )) {
            prop_assert_eq!(uri(&element(&others)), None);
        }

        #[test]
        fn anything_else_ends_well(header in "[ -~]{0,80}|[URIuri=;,\"\\\\a]{0,20}") {
            // What is read stands in it, but for backslashes.
            if let Some(found) = uri(&header) {
                prop_assert!(header.replace('\\', "").contains(&found.replace('\\', "")));
            }
        }
    }
}
