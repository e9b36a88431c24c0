//! Files over HTTP: metadata, targets with ranges, uploads with limits.

use crate::owner::Owner;
use crate::place::{Place, block_on};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{Bytes, Data};
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::api::token::{MakeTokenRequest, Scope};
use patchward_protocol::digest::Sha256Digest;
use patchward_server::app::{App, Mode};
use patchward_server::auth::issue;
use patchward_server::http;
use std::sync::Arc;

const FAMILY: &str = "family:acme.pump";
/// Longer than two pieces, so that a body is more than one read.
const LENGTH: usize = 1_300_000;

fn image() -> Vec<u8> {
    (0..LENGTH).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn code(&self) -> ErrorCode {
        serde_json::from_slice::<Problem>(&self.body).unwrap().code
    }
}

async fn ask(app: &Arc<App>, request: TestRequest) -> Answer {
    let service = actix_web::App::new()
        .app_data(Data::from(Arc::clone(app)))
        .configure(http::configure)
        .configure(http::configure_rest);
    let service = init_service(service).await;
    let response = call_service(&service, request.to_request()).await;
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: read_body(response).await }
}

pub(crate) async fn get(app: &Arc<App>, path: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = TestRequest::get().uri(path);
    for (name, value) in headers {
        request = request.insert_header((*name, *value));
    }
    ask(app, request).await
}

async fn published(app: &Arc<App>, id: &str, dir: &str) -> (Owner, String) {
    let mut owner = Owner::open(app, id, app.clock.now()).await;
    let path = format!("{dir}/file.bin");
    owner.add(app, &path, &image()).await;
    owner.publish_first(app).await.unwrap();
    let (kind, name) = owner.id.parts();
    let url = format!("/tuf/{kind}/{name}/targets/{dir}/{}.file.bin", Sha256Digest::of(&image()));
    (owner, url)
}

pub(crate) async fn token(app: &App, scope: Scope) -> String {
    let request = MakeTokenRequest { label: "test".to_owned(), scope, life_s: 3600 };
    format!(
        "Bearer {}",
        issue::make(app, request, ("a test".to_owned(), None)).await.unwrap().token
    )
}

#[test]
fn a_target_is_sent_whole_and_in_parts() {
    Place::sqlite().with_one(|app| async move {
        let (_, url) = published(&app, FAMILY, "doc").await;
        let whole = get(&app, &url, &[]).await;
        assert_eq!((whole.status, whole.body.as_ref()), (StatusCode::OK, image().as_slice()));
        let etag = format!("\"{}\"", Sha256Digest::of(&image()));
        assert_eq!(whole.header("etag"), etag);
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
        for (range, from, to) in [
            ("bytes=600000-", 600_000, LENGTH),
            ("bytes=5-5", 5, 6),
            ("bytes=-7", LENGTH - 7, LENGTH),
            ("bytes=524288-1048575", 524_288, 1_048_576),
        ] {
            let part = get(&app, &url, &[("range", range), ("if-range", &etag)]).await;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(part.body.as_ref(), &image()[from..to], "{range}");
            let told = format!("bytes {from}-{}/{LENGTH}", to - 1);
            assert_eq!(part.header("content-range"), told);
        }
        let other = [("range", "bytes=5-"), ("if-range", "\"other\"")];
        assert_eq!(get(&app, &url, &other).await.status, StatusCode::OK);
        let known = get(&app, &url, &[("if-none-match", &etag)]).await;
        assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    });
}

#[test]
fn a_range_outside_the_file_is_told_with_its_length() {
    Place::sqlite().with_one(|app| async move {
        let (_, url) = published(&app, FAMILY, "doc").await;
        for range in ["bytes=1300000-", "bytes=0-1,5-6"] {
            let answer = get(&app, &url, &[("range", range)]).await;
            assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
            assert_eq!(answer.header("content-range"), format!("bytes */{LENGTH}"));
            assert_eq!(answer.code(), ErrorCode::RangeNotSatisfiable);
        }
    });
}

#[test]
fn metadata_is_immutable_but_for_the_timestamp() {
    Place::sqlite().with_one(|app| async move {
        let (owner, _) = published(&app, FAMILY, "doc").await;
        let at = |file: &str| format!("/tuf/family/acme.pump/metadata/{file}");
        let timestamp = get(&app, &at("timestamp.json"), &[]).await;
        assert_eq!(timestamp.header("cache-control"), "no-cache");
        let etag = timestamp.header("etag").to_owned();
        let again = get(&app, &at("timestamp.json"), &[("if-none-match", &etag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        let root = get(&app, &at("1.root.json"), &[]).await;
        assert_eq!(root.body.as_ref(), owner.root_file());
        assert!(root.header("cache-control").contains("immutable"));
        for missing in ["2.root.json", "0.root.json", "01.root.json", "root.json", "1.deltas.json"]
        {
            let answer = get(&app, &at(missing), &[]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
    });
}

#[test]
fn earlier_versions_stay_readable() {
    Place::sqlite().with_one(|app| async move {
        let (mut owner, url) = published(&app, FAMILY, "doc").await;
        owner.targets.version = 2;
        owner.targets.targets.clear();
        owner.publish_targets(&app).await.unwrap();
        let old = get(&app, "/tuf/family/acme.pump/metadata/1.targets.json", &[]).await;
        assert_eq!(old.status, StatusCode::OK);
        assert_eq!(get(&app, &url, &[]).await.status, StatusCode::OK);
    });
}

#[test]
fn what_is_uploaded_but_not_listed_is_not_served() {
    Place::sqlite().with_one(|app| async move {
        let (mut owner, _) = published(&app, FAMILY, "doc").await;
        owner.add(&app, "doc/secret.bin", b"not published yet").await;
        let digest = Sha256Digest::of(b"not published yet");
        let url = format!("/tuf/family/acme.pump/targets/doc/{digest}.secret.bin");
        assert_eq!(get(&app, &url, &[]).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_site_is_hidden_from_those_without_its_token() {
    Place::sqlite().with_one(|app| async move {
        let (owner, url) = published(&app, "site:north", "doc").await;
        let site = |name: &str| Scope::Site { site: name.parse().unwrap() };
        let (ours, theirs) = (token(&app, site("north")).await, token(&app, site("south")).await);
        let metadata = "/tuf/site/north/metadata/timestamp.json";
        for path in [url.as_str(), metadata] {
            let hidden = [vec![], vec![("authorization", theirs.as_str())]];
            for headers in hidden {
                let answer = get(&app, path, &headers).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (StatusCode::NOT_FOUND, ErrorCode::NotFound)
                );
            }
            let seen = get(&app, path, &[("authorization", ours.as_str())]).await;
            assert_eq!(seen.status, StatusCode::OK);
            assert!(!seen.header("cache-control").contains("public"));
        }
        drop(owner);
    });
}

async fn put(app: &Arc<App>, bearer: &str, digest: &str, bytes: &[u8]) -> Answer {
    let uri = format!("/v1/repositories/family/acme.pump/blobs/{digest}");
    let request = TestRequest::put().uri(&uri).insert_header(("authorization", bearer));
    ask(app, request.set_payload(bytes.to_vec())).await
}

#[test]
fn an_upload_is_taken_once_within_quota_and_with_its_digest_only() {
    let mut place = Place::sqlite();
    place.config.quota.family_bytes = 20;
    place.with_one(|app| async move {
        Owner::open(&app, FAMILY, app.clock.now()).await;
        let maker = Scope::Maker { families: vec!["acme.pump".parse().unwrap()] };
        let bearer = token(&app, maker).await;
        let of = |bytes: &[u8]| Sha256Digest::of(bytes).to_string();
        for _ in 0..2 {
            let taken = put(&app, &bearer, &of(b"0123456789"), b"0123456789").await;
            assert_eq!(taken.status, StatusCode::NO_CONTENT);
        }
        let wrong = put(&app, &bearer, &of(b"x"), b"y").await;
        assert_eq!(wrong.code(), ErrorCode::DigestMismatch);
        let long = put(&app, &bearer, &of(b"0123456789a"), b"0123456789a").await;
        assert_eq!(long.code(), ErrorCode::QuotaExceeded);
        let odd = put(&app, &bearer, "not-a-digest", b"y").await;
        assert_eq!(odd.code(), ErrorCode::PathMalformed);
        let other = token(&app, Scope::Site { site: "north".parse().unwrap() }).await;
        assert_eq!(put(&app, &other, &of(b"y"), b"y").await.code(), ErrorCode::NotFound);
        assert_eq!(put(&app, "", &of(b"y"), b"y").await.code(), ErrorCode::TokenInvalid);
    });
}

#[test]
fn a_full_disk_refuses_uploads_and_readiness_and_nothing_else() {
    let mut place = Place::sqlite();
    place.config.quota.reserve_bytes = u64::MAX;
    let parts = place.parts(Mode::Production);
    block_on(async {
        let app = App::start(parts).await.unwrap();
        Owner::open(&app, FAMILY, app.clock.now()).await;
        let bearer = token(&app, Scope::Administrator).await;
        let digest = Sha256Digest::of(b"y").to_string();
        let full = put(&app, &bearer, &digest, b"y").await;
        assert_eq!((full.status.as_u16(), full.code()), (507, ErrorCode::StorageFull));
        let ready = get(&app, "/health/ready", &[]).await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&app, "/health/live", &[]).await.status, StatusCode::OK);
    });
}

#[test]
fn readiness_tells_of_expired_freshness() {
    let place = Place::sqlite();
    let clock = Arc::clone(&place.clock);
    place.with_one(|app| async move {
        published(&app, FAMILY, "doc").await;
        assert_eq!(get(&app, "/health/ready", &[]).await.status, StatusCode::OK);
        clock.set(app.clock.now().plus_seconds(8 * 86_400));
        let stale = get(&app, "/health/ready", &[]).await;
        assert_eq!(stale.status, StatusCode::SERVICE_UNAVAILABLE);
        let text = String::from_utf8(stale.body.to_vec()).unwrap();
        assert!(text.contains("1 repositories with an expired snapshot or timestamp"), "{text}");
    });
}
