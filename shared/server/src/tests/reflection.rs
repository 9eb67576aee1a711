//! Reflection: exactly what is published and served, by either version of the protocol.

use prost::Message as _;
use tonic_reflection::pb::{
    v1::{
        self, server_reflection_request::MessageRequest,
        server_reflection_response::MessageResponse,
    },
    v1alpha,
};

use super::*;
use crate::reflection::{PUBLISHED, RELEASED};

const INTERNAL: &str = "lienthong.policy.v1.PolicyService";
/// Two that one process serves.
const SERVED: [&str; 2] =
    ["lienthong.contribution.v1.ContributionService", "lienthong.identity.v1.IdentityService"];

async fn serving(pki: &Pki, services: &[&'static str], reflection: bool) -> Running {
    let config = Config { reflection, ..config(pki, 30) };
    let server = Server::bind(config).await.unwrap();
    server.health().serves(services, || async { true });
    server.start(Routes::default()).await
}

async fn ask(channel: &Channel, message: MessageRequest) -> Result<MessageResponse, Status> {
    let request =
        v1::ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let asked = client.server_reflection_info(once(request));
    let mut answers = within(asked).await?.into_inner();
    Ok(within(answers.message()).await?.unwrap().message_response.unwrap())
}

fn once<T: Send + 'static>(one: T) -> impl futures::Stream<Item = T> + Send + 'static {
    futures::stream::iter([one])
}

async fn list(channel: &Channel) -> Vec<String> {
    let answer = ask(channel, MessageRequest::ListServices(String::new())).await.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    list.service.into_iter().map(|service| service.name).collect()
}

#[tokio::test]
async fn exactly_the_published_services_are_described() {
    let pki = Pki::new();
    let server = serving(&pki, &[SERVED[0], SERVED[1], INTERNAL], true).await;
    let system = pki.issue(&format!("spiffe://{DOMAIN}/agency/G24/system/hi"));
    let channel = channel(&server, "policy", &system);
    assert_eq!(list(&channel).await, SERVED);
    let symbol = |name: &str| MessageRequest::FileContainingSymbol(name.to_owned());
    let found = ask(&channel, symbol(SERVED[1])).await.unwrap();
    let MessageResponse::FileDescriptorResponse(found) = found else { panic!("{found:?}") };
    let file = prost_types::FileDescriptorProto::decode(&*found.file_descriptor_proto[0]).unwrap();
    assert_eq!(file.package(), "lienthong.identity.v1");
    assert!(!matches!(
        ask(&channel, symbol(INTERNAL)).await,
        Ok(MessageResponse::FileDescriptorResponse(_))
    ));

    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request =
        v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(once(request)).await.unwrap();
    let answer = within(answers.into_inner().message()).await.unwrap().unwrap();
    let text = format!("{:?}", answer.message_response);
    assert!(SERVED.iter().all(|name| text.contains(name)) && !text.contains(INTERNAL), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_process_describes_only_what_it_serves_and_only_when_told_to() {
    let pki = Pki::new();
    let ours = pki.service("identity");
    let server = serving(&pki, &[SERVED[1]], true).await;
    assert_eq!(list(&channel(&server, "policy", &ours)).await, [SERVED[1]]);
    server.stop().await;
    for (services, reflection) in [([SERVED[1]], false), ([INTERNAL], true)] {
        let server = serving(&pki, &services, reflection).await;
        let all = MessageRequest::ListServices(String::new());
        let refused = ask(&channel(&server, "policy", &ours), all).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Unimplemented, "UNKNOWN_METHOD".to_owned()));
        server.stop().await;
    }
}

#[test]
fn what_is_called_published_is_what_was_released() {
    let released = prost_types::FileDescriptorSet::decode(RELEASED).unwrap();
    let mut services: Vec<String> = Vec::new();
    for file in &released.file {
        services
            .extend(file.service.iter().map(|one| format!("{}.{}", file.package(), one.name())));
    }
    services.sort();
    assert_eq!(services, PUBLISHED);
}
