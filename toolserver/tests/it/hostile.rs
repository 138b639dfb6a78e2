//! Documents that cannot be used, by accident or on purpose. None may harm the server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lopdf::encryption::crypt_filters::{Aes128CryptFilter, CryptFilter};
use lopdf::{Dictionary, Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream, dictionary};
use toolserver::Options;

use crate::pdf::{bytes, of_lines, with_contents, with_resources};
use crate::server::{Answer, Server};

const LINE: &str = "BT /F 10 Tf 50 700 Td (text) Tj ET";

async fn parse(document: &[u8]) -> Answer {
    let server = Server::start().await;
    let answer = server.parse("a.pdf", document).await;
    // It still serves.
    server.parse("b.pdf", &of_lines(&["fine"])).await.ok();
    answer
}

#[tokio::test]
async fn an_empty_file_is_refused() {
    parse(b"").await.refused(422, "empty");
}

#[tokio::test]
async fn pages_without_text_need_ocr() {
    let why = parse(&bytes(with_contents(["0 0 100 100 re f", ""]))).await.refused(422, "no_text");
    assert_eq!(why, "none of the 2 pages has readable text; a scan or picture needs OCR first");
}

#[tokio::test]
async fn garbage_is_refused() {
    let nul = "a\0b".as_bytes();
    for garbage in [&b"%PDF-1.7 and then nothing"[..], b"not a pdf at all", b"%PDF-", nul] {
        parse(garbage).await.refused(422, "unreadable");
    }
    parse(b"PK\x03\x04 a Word file").await.refused(422, "unsupported");
}

#[tokio::test]
async fn a_file_cut_anywhere_is_refused_or_complete() {
    let whole = bytes(with_contents([LINE; 12]));
    let server = Server::start().await;
    for end in (0..whole.len()).step_by(whole.len() / 40) {
        let answer = server.parse("a.pdf", &whole[..end]).await;
        assert_eq!(answer.status, 422, "cut at {end} of {}: {}", whole.len(), answer.body);
    }
}

#[tokio::test]
async fn damaged_bytes_never_harm_the_server() {
    let whole = bytes(with_contents([LINE; 3]));
    let server = Server::start().await;
    let mut random: u32 = 7;
    let mut below = |end: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % end
    };
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..8 {
            let place = below(damaged.len());
            damaged[place] = b"0123456789<>[]()/ RnQ\xff"[below(22)];
        }
        let answer = server.parse("a.pdf", &damaged).await;
        assert!([200, 422].contains(&answer.status), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_password_is_asked_for_only_where_one_is_set() {
    for (password, readable) in [("secret", false), ("", true)] {
        let mut file = with_contents([LINE]);
        let filter: Arc<dyn CryptFilter> = Arc::new(Aes128CryptFilter);
        let version = EncryptionVersion::V4 {
            document: &file,
            encrypt_metadata: true,
            crypt_filters: BTreeMap::from([(b"StdCF".to_vec(), filter)]),
            stream_filter: b"StdCF".to_vec(),
            string_filter: b"StdCF".to_vec(),
            owner_password: "owner",
            user_password: password,
            permissions: Permissions::all(),
        };
        let state = EncryptionState::try_from(version).unwrap();
        file.encrypt(&state).unwrap();
        let answer = parse(&bytes(file)).await;
        if readable {
            assert_eq!(answer.ok()["text"], "text");
        } else {
            answer.refused(422, "encrypted");
        }
    }
}

#[tokio::test]
async fn ten_thousand_pages_are_refused_with_both_numbers_before_they_are_read() {
    let file = bytes(with_contents(std::iter::repeat_n(LINE, 10_000)));
    let server = Server::start().await;
    let start = Instant::now();
    let why = server.parse("a.pdf", &file).await.refused(422, "too_many_pages");
    assert_eq!(why, "the document has 10000 pages but at most 500 are read; split it");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_page_count_that_lies_does_not_help() {
    let mut file = with_contents([LINE; 501]);
    set_in_tree(&mut file, "Count", 1.into());
    parse(&bytes(file)).await.refused(422, "too_many_pages");
    let mut file = with_contents([LINE; 3]);
    set_in_tree(&mut file, "Count", 400.into());
    parse(&bytes(file)).await.refused(422, "unreadable");
}

#[tokio::test]
async fn more_text_than_the_limit_is_refused() {
    let options = Options { max_text_bytes: 100, ..Options::default() };
    let server = Server::with(options).await;
    server.parse("a.pdf", &of_lines(&["0123456789"; 11])).await.refused(422, "too_much_text");
    server.parse("a.txt", &[b'a'; 101]).await.refused(422, "too_much_text");
    server.parse("a.txt", &[b'a'; 100]).await.ok();
}

#[tokio::test]
async fn a_page_that_unpacks_without_end_is_refused() {
    let mut bomb = Stream::new(Dictionary::new(), vec![b' '; 64 << 20]);
    bomb.compress().unwrap();
    assert!(bomb.content.len() < 100_000);
    let mut file = with_contents([LINE]);
    let page = file.page_iter().next().unwrap();
    let bomb = file.add_object(bomb);
    file.get_dictionary_mut(page).unwrap().set("Contents", bomb);
    parse(&bytes(file)).await.refused(422, "unpacks_too_large");
}

#[tokio::test]
async fn a_form_that_draws_itself_ends() {
    let file = with_resources([&format!("{LINE} /X Do")[..]], |file| {
        let form = file.new_object_id();
        let resources = dictionary! {"XObject" => dictionary! {"X" => form}};
        let content = b"/X Do /X Do /X Do".to_vec();
        file.set_object(form, Stream::new(dictionary! {"Subtype" => "Form", "Resources" => resources}, content));
        dictionary! {"XObject" => dictionary! {"X" => form}}
    });
    let server = Server::with(Options { parse_timeout: Duration::from_secs(2), ..Options::default() }).await;
    let answer = server.parse("a.pdf", &bytes(file)).await;
    assert!(answer.status == 200 || answer.body["code"] == "too_slow", "{}", answer.body);
}

#[tokio::test]
async fn a_page_tree_that_is_a_ring_ends() {
    let mut file = with_contents([LINE]);
    let tree = tree(&file);
    set_in_tree(&mut file, "Parent", tree.into());
    if let Ok(tree) = file.get_dictionary_mut(tree) {
        tree.remove(b"Resources");
        tree.set("Kids", vec![Object::Reference(tree_kid(tree)), Object::Reference((9999, 0))]);
    }
    let answer = parse(&bytes(file)).await;
    assert_eq!(answer.status, 422, "{}", answer.body);
}

#[tokio::test]
async fn deep_nesting_does_not_break_the_stack() {
    let deep = format!("{}{} {LINE}", "[".repeat(200_000), "]".repeat(200_000));
    let answer = parse(&bytes(with_contents([&deep[..]]))).await;
    assert!([200, 422].contains(&answer.status), "{}", answer.body);
    let mut raw = b"%PDF-1.5\n1 0 obj\n".to_vec();
    raw.extend("<</A ".repeat(100_000).bytes());
    parse(&raw).await.refused(422, "unreadable");
}

#[tokio::test]
async fn a_table_of_all_codes_costs_nothing() {
    let file = with_resources(["BT /U 10 Tf 50 700 Td (ab) Tj ET"], |file| {
        let table = b"1 beginbfrange <00000000> <ffffffff> <0041> endbfrange".to_vec();
        let table = file.add_object(Stream::new(Dictionary::new(), table));
        let font =
            dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "ToUnicode" => table};
        dictionary! {"Font" => dictionary! {"U" => font}}
    });
    parse(&bytes(file)).await.ok();
}

#[tokio::test]
async fn operators_without_operands_lose_nothing_else() {
    let content = format!("Tf Tj TJ ' \" Td TD Tm cm Do Tz q Q Q Q /F Tf {LINE} [ Tj ] (open");
    let answer = parse(&bytes(with_contents([&content[..]]))).await;
    assert_eq!(answer.ok()["text"], "text");
}

#[tokio::test]
async fn a_document_that_takes_too_long_is_given_up() {
    let server = Server::with(Options { parse_timeout: Duration::from_millis(1), ..Options::default() }).await;
    let content = "BT /F 10 Tf 50 700 Td ".to_owned() + &"(a) Tj ".repeat(200_000);
    server.parse("a.pdf", &bytes(with_contents([&content[..]]))).await.refused(422, "too_slow");
}

fn tree(file: &Document) -> lopdf::ObjectId {
    file.catalog().unwrap().get(b"Pages").unwrap().as_reference().unwrap()
}

fn tree_kid(tree: &Dictionary) -> lopdf::ObjectId {
    tree.get(b"Kids").unwrap().as_array().unwrap()[0].as_reference().unwrap()
}

fn set_in_tree(file: &mut Document, key: &str, value: Object) {
    let tree = tree(file);
    file.get_dictionary_mut(tree).unwrap().set(key, value);
}
