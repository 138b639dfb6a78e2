//! What comes out of good documents.

use lopdf::{Dictionary, Stream, dictionary};
use serde_json::json;

use crate::pdf::{bytes, of_lines, with_contents, with_resources};
use crate::server::Server;

async fn check(document: Vec<u8>, expected: &str) {
    let server = Server::start().await;
    let answer = server.parse("a.pdf", &document).await.ok();
    assert_eq!(answer["text"], expected);
}

#[tokio::test]
async fn the_answer_has_the_text_and_the_number_of_pages() {
    let server = Server::start().await;
    let pages = ["BT /F 12 Tf 50 800 Td (Page one) Tj ET", "BT /F 12 Tf 50 800 Td (Page two) Tj ET"];
    let answer = server.parse("a.pdf", &bytes(with_contents(pages))).await.ok();
    assert_eq!(answer.to_string(), r#"{"text":"Page one\n\nPage two","pages":2}"#);
    let answer = server.parse("a.txt", "\u{feff}Grüße  \r\nan alle\r\n".as_bytes()).await.ok();
    assert_eq!(answer, json!({"text": "Grüße\nan alle", "pages": 1}));
}

#[tokio::test]
async fn lines_stand_in_the_order_of_the_document() {
    check(of_lines(&["Acme Corp.", "Invoice 7", "Total: 12.50"]), "Acme Corp.\nInvoice 7\nTotal: 12.50").await;
}

#[tokio::test]
async fn words_and_columns_are_told_apart_by_their_positions() {
    let content = "BT /F 10 Tf 1 0 0 1 50 700 Tm [(Uni) -10 (ted) -400 (Cargo)] TJ 1 0 0 1 300 700 Tm (97) Tj \
        1 0 0 1 50 685 Tm (Ghent) Tj 1 0 0 1 300 685 Tm (8) Tj ET";
    check(bytes(with_contents([content])), "United Cargo\t97\nGhent\t8").await;
}

#[tokio::test]
async fn every_way_to_show_text_is_understood() {
    let content = "BT /F 10 Tf 14 TL 50 700 Td (a) Tj (b) ' 1 0 (c) \" T* (d) Tj 0 -14 TD (e) Tj ET";
    check(bytes(with_contents([content])), "a\nb\nc\nd\ne").await;
}

#[tokio::test]
async fn turned_and_scaled_pages_read_the_same() {
    let turned = "q 0 2 -2 0 400 50 cm BT /F 5 Tf 10 10 Td (Left) Tj 0 -7 Td (to right) Tj ET Q";
    check(bytes(with_contents([turned])), "Left\nto right").await;
}

#[tokio::test]
async fn text_of_forms_is_read_where_they_are_drawn() {
    let file = with_resources(
        ["BT /F 10 Tf 50 700 Td (before) Tj ET q /X Do Q BT /F 10 Tf 50 600 Td (after) Tj ET"],
        |file| {
            let font = dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier"};
            let form = Stream::new(
                dictionary! {
                    "Subtype" => "Form",
                    "Matrix" => vec![1.into(), 0.into(), 0.into(), 1.into(), 0.into(), 650.into()],
                    "Resources" => dictionary! {"Font" => dictionary! {"G" => font}},
                },
                b"BT /G 10 Tf 50 0 Td (inside) Tj ET".to_vec(),
            );
            let form = file.add_object(form);
            dictionary! {"XObject" => dictionary! {"X" => form}}
        },
    );
    check(bytes(file), "before\n\ninside\n\nafter").await;
}

#[tokio::test]
async fn composite_fonts_are_read_by_their_table() {
    let file = with_resources(["BT /U 10 Tf 50 700 Td <000100020003> Tj ET"], |file| {
        let table = b"beginbfchar <0001> <0047> endbfchar beginbfrange <0002> <0003> <00fc> endbfrange".to_vec();
        let table = file.add_object(Stream::new(Dictionary::new(), table));
        let descendant = dictionary! {"Type" => "Font", "Subtype" => "CIDFontType2", "DW" => 500};
        let font = dictionary! {
            "Type" => "Font", "Subtype" => "Type0", "Encoding" => "Identity-H", "ToUnicode" => table,
            "DescendantFonts" => vec![descendant.into()],
        };
        dictionary! {"Font" => dictionary! {"U" => font}}
    });
    check(bytes(file), "Güý").await;
}

#[tokio::test]
async fn windows_letters_and_currency_signs_come_through() {
    check(of_lines(&["M\\374ller \\200 5"]), "Müller € 5").await;
}
