//! An identity that changes while the server runs.

use super::{connection::raw, person::single, *};

#[tokio::test]
async fn a_caller_that_is_revoked_is_cut_and_others_stay() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let crl = pki.revoke(&[], until);
    let entered = Arc::<Notify>::default();
    let listed = |config: Config| Config { crl, deadline_max_seconds: 3_000, ..config };
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), listed).await;
    let uri = format!("spiffe://{DOMAIN}/service/identity");
    let issued = pki.issue_as(&uri, Some(7.into()));
    let mut revoked = raw(&server, &issued).await;
    let another = format!("spiffe://{DOMAIN}/service/contribution");
    let other = raw(&server, &pki.issue_as(&another, Some(8.into()))).await;
    let open = within(revoked.call()).await.unwrap();
    within(entered.notified()).await;
    pki.revoke(&[7], until);
    assert!(within(open).await.is_err(), "its open call is cut");
    within(revoked.closed).await.unwrap();
    assert!(within(other.send.clone().ready()).await.is_ok());
    // And it does not come back.
    let again = decide(channel(&server, "policy", &issued), None).await;
    assert_eq!(reason(&again.unwrap_err()).1, "");
    server.stop().await;
}

#[tokio::test]
async fn a_service_that_is_revoked_is_cut_with_a_call_open() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let shows = |config: Config| {
        let own = pki.issue_as(&format!("spiffe://{DOMAIN}/service/policy"), Some(9.into()));
        let (certificate, key) = (own.certificate, own.key);
        Config { certificate, key, deadline_max_seconds: 3_000, ..config }
    };
    let entered = Arc::<Notify>::default();
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), shows).await;
    let ours = tls::Files { crl: pki.revoke(&[], until), ..pki.service("identity") };
    let open = tokio::spawn(decide(channel(&server, "policy", &ours), None));
    within(entered.notified()).await;
    pki.revoke(&[9], until);
    // The service hears of it by the end of the connection, and of no other call.
    within(entered.notified()).await;
    let ended = within(open).await.unwrap().unwrap_err();
    assert_eq!(reason(&ended).1, "", "no answer of ours, whatever the transport calls it");
    server.stop().await;
}

#[tokio::test]
async fn an_identity_that_is_revoked_is_cut_and_stays_out_with_any_certificate() {
    let pki = Pki::new();
    let revoked_identities = pki.revoke_identities("# nobody\n");
    let entered = Arc::<Notify>::default();
    let listed =
        |config: Config| Config { revoked_identities, deadline_max_seconds: 3_000, ..config };
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), listed).await;
    let ours = pki.service("identity");
    let mut revoked = raw(&server, &ours).await;
    let other = raw(&server, &pki.service("contribution")).await;
    let open = within(revoked.call()).await.unwrap();
    within(entered.notified()).await;
    let line = format!("spiffe://{DOMAIN}/service/identity\n");
    pki.revoke_identities(&line);
    assert!(within(open).await.is_err(), "its open call is cut");
    within(revoked.closed).await.unwrap();
    assert!(within(other.send.clone().ready()).await.is_ok());
    for files in [ours, pki.service("identity")] {
        let again = decide(channel(&server, "policy", &files), None).await;
        assert_eq!(reason(&again.unwrap_err()).1, "");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_service_whose_identity_is_revoked_is_cut_and_not_called() {
    let pki = Pki::new();
    let entered = Arc::<Notify>::default();
    let server = start_told(&pki, false, 3_000, Arc::clone(&entered)).await;
    let revoked_identities = pki.revoke_identities("");
    let ours = tls::Files { revoked_identities, ..pki.service("identity") };
    let open = tokio::spawn(decide(channel(&server, "policy", &ours), None));
    within(entered.notified()).await;
    pki.revoke_identities(&format!("spiffe://{DOMAIN}/service/policy\n"));
    // The service hears of it by the end of the connection, and of no other call.
    within(entered.notified()).await;
    let ended = within(open).await.unwrap().unwrap_err();
    assert_eq!(reason(&ended).1, "", "no answer of ours, whatever the transport calls it");
    let again = decide(channel(&server, "policy", &ours), Some("2S")).await.unwrap_err();
    assert_eq!(again.code(), Code::Unavailable);
    // What cannot be read lets us call nobody (I9).
    pki.revoke_identities("x\n");
    let peer = channel::Peer::direct(server.address().to_string(), "policy");
    assert!(channel::to_service(&peer, DOMAIN, &ours).is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_caller_that_is_revoked_in_its_grace_is_cut() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let crl = pki.revoke(&[], until);
    let entered = Arc::<Notify>::default();
    let aged = |config: Config| Config {
        crl,
        connection_age_seconds: 1,
        connection_grace_seconds: 3_000,
        deadline_max_seconds: 3_000,
        ..config
    };
    let server = start_with(&pki, Answers::Never, Arc::clone(&entered), aged).await;
    let uri = format!("spiffe://{DOMAIN}/service/identity");
    let mut client = raw(&server, &pki.issue_as(&uri, Some(7.into()))).await;
    let open = within(client.call()).await.unwrap();
    within(entered.notified()).await;
    within(client.goaway()).await;
    pki.revoke(&[7], until);
    assert!(within(open).await.is_err(), "its open call is cut");
    within(client.closed).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_list_that_could_not_be_read_is_read_when_it_can_be() {
    let pki = Pki::new();
    let until = runtime::Clock::system().now() + Span::DAY;
    let crl = pki.revoke(&[], until);
    let listed = |config: Config| Config { crl: crl.clone(), ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), listed).await;
    let uri = format!("spiffe://{DOMAIN}/service/identity");
    let revoked = raw(&server, &pki.issue_as(&uri, Some(7.into()))).await;
    // As a list that cannot be read yet: what is seen of it from outside stays when it can be.
    let good = fs::read(pki.revoke(&[7], until)).unwrap();
    let dated = runtime::Clock::system().now().into();
    let write = |bytes: &[u8]| {
        let mut file = fs::File::create(&crl).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        file.set_modified(dated).unwrap();
    };
    write(&vec![b'-'; good.len()]);
    tokio::time::sleep(Duration::from_millis(600)).await;
    write(&good);
    within(revoked.closed).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn i9_a_list_that_passes_its_date_ends_open_connections() {
    let pki = Pki::new();
    let crl = pki.revoke(&[], runtime::Clock::system().now() + Span::seconds(5));
    let listed = |config: Config| Config { crl, ..config };
    let server = start_with(&pki, Answers::AtOnce, Arc::default(), listed).await;
    let mut client = raw(&server, &pki.service("identity")).await;
    within(within(client.call()).await.unwrap()).await.unwrap();
    within(client.closed).await.unwrap();
    server.stop().await;
}

/// The certificate that a server shows.
async fn shown(server: &Running, files: &tls::Files) -> Vec<u8> {
    let connector = tokio_rustls::TlsConnector::from(tls::client(files).unwrap());
    let tcp = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let stream = connector.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_a_broken_one_is_not_taken() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let ours = pki.service("identity");
    let open = channel(&server, "policy", &ours);
    decide(open.clone(), None).await.unwrap();
    let first = shown(&server, &ours).await;
    let files = pki.service("policy");
    let renewed = async {
        while shown(&server, &ours).await == first {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(renewed).await;
    let second = shown(&server, &ours).await;
    // What cannot be used changes nothing, for whoever comes and whoever is there.
    let good = fs::read(&files.certificate).unwrap();
    fs::write(&files.certificate, "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(shown(&server, &ours).await, second);
    decide(open, None).await.unwrap();
    fs::write(&files.certificate, good).unwrap();
    server.stop().await;
}

/// Puts a file in the place of another at once.
fn replace(path: &str, text: &str) {
    let new = format!("{path}.new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Renewals as they happen: certificate and key one after the other, and the CA's file longer by a CA.
#[tokio::test]
async fn no_call_fails_while_certificates_are_renewed_and_a_ca_is_added() {
    let pki = Pki::new();
    let server = start(&pki, true, 30).await;
    let ours = pki.service("identity");
    let served = std::cell::Cell::new(0);
    let old = single(&server, &ours);
    let calls = async |_: usize| loop {
        // On a connection that was there before, and on a new one.
        decide(old.clone(), None).await.unwrap();
        decide(single(&server, &ours), None).await.unwrap();
        served.set(served.get() + 1);
    };
    let renewals = async {
        for _ in 0..3 {
            renew(&pki, &server, &ours).await;
        }
        // Whoever has a certificate of the CA that comes is let in, and whoever was let in stays.
        let elsewhere = Pki::new();
        let newcomer = elsewhere.service("identity");
        let bundle = [&ours.ca, &newcomer.ca].map(|path| fs::read_to_string(path).unwrap());
        let newcomer = tls::Files { ca: ours.ca.clone(), ..newcomer };
        decide(single(&server, &newcomer), None).await.unwrap_err();
        replace(&ours.ca, &bundle.concat());
        while decide(single(&server, &newcomer), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = within(renewals) => {}
        _never = futures::future::join_all((0..4).map(calls)) => {}
    }
    decide(old.clone(), None).await.unwrap();
    assert!(served.get() > 0);
    server.stop().await;
}

/// The server's certificate and key, which do not fit together for a while.
async fn renew(pki: &Pki, server: &Running, ours: &tls::Files) {
    let before = shown(server, ours).await;
    let path = pki.folder.path().join(format!("spiffe___{DOMAIN}_service_policy.key"));
    let old_key = fs::read_to_string(&path).unwrap();
    let files = pki.service("policy");
    let new_key = fs::read_to_string(&files.key).unwrap();
    replace(&files.key, &old_key);
    // Longer than it takes to be looked at.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(shown(server, ours).await, before);
    replace(&files.key, &new_key);
    while shown(server, ours).await == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
