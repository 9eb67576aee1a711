//! What stands in the document of the half-year.

use std::{fs, path::Path, sync::LazyLock, time::Instant};

use model::report::{Missing, Report};
use report::Form;

use crate::{half_year, read::Pdf};

/// Every letter of Vietnamese.
const LETTERS: &str =
    "aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệghiìíỉĩịklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvxyỳýỷỹỵ";

/// The report with a database whose name is all letters, and its document.
static LETTERED: LazyLock<(Report, Pdf)> = LazyLock::new(|| {
    let mut report = half_year::report();
    let mut lettered = report.databases.as_ref().unwrap()[0].clone();
    lettered.vi = words(LETTERS) + " " + &words(&LETTERS.to_uppercase());
    report.databases.as_mut().unwrap().push(lettered);
    let pdf = Pdf::read(&pdf(&report));
    (report, pdf)
});

/// Letters in pieces that no line breaks.
fn words(letters: &str) -> String {
    let letters: Vec<_> = letters.chars().collect();
    letters.chunks(6).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

pub(crate) fn pdf(report: &Report) -> Vec<u8> {
    let form = Form::demonstration().unwrap();
    report::pdf(&serde_json::to_vec(report).unwrap(), &form).unwrap()
}

/// Where each stands in the text, one after the other.
fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let at = text[from..].find(part);
        from += at.unwrap_or_else(|| panic!("`{part}` is not after {from} in {text}"));
    }
}

/// `UPDATE=1` writes it.
#[test]
fn the_half_year_is_what_its_seed_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/half-year.json");
    let made = serde_json::to_string_pretty(&half_year::report()).unwrap() + "\n";
    if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept == made, "tests/half-year.json is another; UPDATE=1 writes it");
}

#[test]
fn the_nine_parts_of_the_decree_stand_in_their_order() {
    let first = &LETTERED.1.pages()[0];
    // Of two columns the left one is read first.
    in_order(
        first,
        &["BỘ MÔ PHỎNG", "TRUNG TÂM DỮ LIỆU MÔ PHỎNG", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"],
    );
    in_order(
        &LETTERED.1.text(),
        &[
            "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
            "Độc lập - Tự do - Hạnh phúc",
            "Số:",
            "/BC-TTMP",
            "Thành phố Mô Phỏng, ngày 16 tháng 6 năm 2026",
            "BÁO CÁO",
            "Về kết quả kết nối, chia sẻ thông tin giữa Cơ sở dữ liệu quốc gia về dân",
            "6 tháng đầu năm 2026",
            "BẢN TRÌNH DIỄN: SỐ LIỆU MÔ PHỎNG, KHÔNG PHẢI CỦA NGƯỜI THẬT",
            "Kính gửi: Thủ tướng Chính phủ (mô phỏng).",
            "I. KẾT QUẢ KẾT NỐI, CHIA SẺ THÔNG TIN",
            "II. TỒN TẠI, KHÓ KHĂN",
            "Nơi nhận:",
            "- Như trên;",
            "- Lưu: VT, TTMP.",
            "GIÁM ĐỐC",
            "(Chữ ký số của người ký, chữ ký số của cơ quan)",
            "Nguyễn Giả Định Minh",
            "Phụ lục I",
            "BẰNG CHỨNG ĐỐI CHIẾU SỐ LIỆU VỚI NHẬT KÝ TRUY CẬP",
            "lienthong report verify",
            "--openings OPENINGS",
        ],
    );
}

#[test]
fn every_vietnamese_letter_is_read_again() {
    let text = LETTERED.1.text();
    let all = [LETTERS.to_owned(), LETTERS.to_uppercase()];
    for piece in all.iter().map(|letters| words(letters)).collect::<Vec<_>>().join(" ").split(' ') {
        assert!(text.contains(piece), "{piece}");
    }
}

#[test]
fn the_totals_are_those_of_the_report() {
    let (report, pdf) = &*LETTERED;
    let text = pdf.text();
    let dotted = |n: u64| {
        let digits: Vec<_> = n.to_string().chars().rev().collect();
        let groups: Vec<String> = digits.chunks(3).map(|group| group.iter().collect()).collect();
        groups.join(".").chars().rev().collect::<String>()
    };
    let requests: u64 = report.accesses.requests.iter().map(|row| row.requests).sum();
    let disclosed: u64 = report.accesses.items.iter().map(|row| row.disclosed).sum();
    let withheld: u64 = report.accesses.items.iter().map(|row| row.withheld).sum();
    let refused: u64 = report.accesses.refusals.iter().map(|row| row.requests).sum();
    for said in [
        format!("Nhật ký truy cập ghi nhận {} yêu cầu", dotted(requests)),
        format!("Tổng số lượt cung cấp mục thông tin là {}", dotted(disclosed)),
        format!("không cung cấp là {}", dotted(withheld)),
        format!("Có {} yêu cầu bị từ chối", dotted(refused)),
        format!("Tổng cộng {}", dotted(requests)),
        format!("{} bản ghi", dotted(report.log.records)),
        "Có 1.615 giá trị".to_owned(),
        "12/2025".to_owned(),
        "99,86%".to_owned(),
        "<0,1%".to_owned(),
    ] {
        assert!(text.contains(&said), "{said}");
    }
    // A checkpoint can be copied: its lines are whole.
    for line in report.log.last.lines().flat_map(|line| line.split(' ')) {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn pages_are_a4_and_fonts_are_within() {
    let pdf = &LETTERED.1;
    let (short, long) = (595.276, 841.89);
    let near = |a: f32, b: f32| (a - b).abs() < 0.01;
    let sizes = pdf.sizes();
    let upright = sizes.iter().filter(|(w, h)| near(*w, short) && near(*h, long)).count();
    let lying = sizes.iter().filter(|(w, h)| near(*w, long) && near(*h, short)).count();
    assert!(upright > 5 && lying > 3 && upright + lying == sizes.len(), "{sizes:?}");
    let fonts = pdf.fonts();
    assert!(fonts.len() >= 4, "{fonts:?}");
    assert!(fonts.iter().all(|(name, within)| *within && name.contains("Liberation")), "{fonts:?}");
}

#[test]
fn pages_are_numbered_from_the_second_and_annexes_by_themselves() {
    let pages = LETTERED.1.pages();
    assert!(!pages[0].starts_with('1') && pages[1].starts_with("2 "), "{}", pages[1]);
    let annex = pages.iter().position(|page| page.contains("Phụ lục I ")).unwrap();
    assert!(pages[annex].starts_with("Phụ lục I"), "{}", pages[annex]);
    assert!(pages[annex + 1].starts_with("2 "), "{}", pages[annex + 1]);
}

#[test]
fn the_same_report_gives_the_same_bytes_and_is_attached() {
    let report = half_year::report();
    let json = serde_json::to_vec(&report).unwrap();
    let begun = Instant::now();
    let first = pdf(&report);
    println!("one document: {:?}, {} bytes", begun.elapsed(), first.len());
    assert!(first == pdf(&report));
    let read = Pdf::read(&first);
    assert!(read.attached("lienthong-report.json") == json);
    assert_eq!(read.information("CreationDate"), "D:20260616083000+07'00");
    let mut other = report;
    other.log.records += 1;
    assert!(first != pdf(&other));
}

/// A report in which nothing happened, and parts that are absent.
#[test]
fn where_there_is_nothing_a_sentence_says_so() {
    let mut report = half_year::report();
    report.accesses = model::report::Accesses::default();
    report.databases = None;
    report.missing = vec![Missing {
        part: "databases".into(),
        reason: "dịch vụ không phản hồi".into(),
    }];
    report.assessments = Some(Vec::new());
    report.suspensions = Some(Vec::new());
    report.conflicts = Some(Vec::new());
    report.quality = None;
    report.availability = model::report::Availability::default();
    report.log.erased = 0;
    report.synthetic = false;
    let text = Pdf::read(&pdf(&report)).text();
    for said in [
        "Chưa có số liệu về tình hình kết nối (dịch vụ không phản hồi).",
        "Trong kỳ không có yêu cầu nào được ghi trong nhật ký truy cập.",
        "Trong kỳ không có mục thông tin nào được yêu cầu.",
        "Trong kỳ không có yêu cầu nào bị từ chối.",
        "Trong kỳ không có thông tin nào được đóng góp.",
        "Trong kỳ không có mâu thuẫn giữa các nguồn.",
        "Chưa có số liệu về chất lượng dữ liệu đóng góp.",
        "Không có kết nối nào thuộc diện đánh giá.",
        "Trong kỳ không có kết nối nào bị tạm dừng.",
        "Chưa có số liệu về mức độ sẵn sàng của nhật ký truy cập.",
        "Thiếu số liệu: Tình hình kết nối cơ sở dữ liệu (dịch vụ không phản hồi).",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // Nor is there a table of nothing, or a word of a demonstration.
    assert!(!text.contains("Bảng 1") && !text.contains("Biểu đồ"), "{text}");
    assert!(!text.contains("TRÌNH DIỄN") && !text.contains("trình diễn"), "{text}");
}

/// The form says who speaks, and what no figure says.
#[test]
fn a_form_of_ones_own() {
    let shipped = include_str!("../../data/form.toml");
    let form = shipped
        .replace("number = \"\"", "number = \"123\"")
        .replace("superior = \"Bộ Mô Phỏng\"", "superior = \"\"")
        .replace("authority = []", "authority = [\"KT. Giám đốc\"]")
        .replace("tasks = []", "tasks = [\"Hoàn thành kết nối *mọi* #hệ thống.\"]")
        .replace("proposals = []", "proposals = [\"Không có.\"]")
        .replace("addressees = [", "addressees = [\"Văn phòng Chính phủ\", ");
    let form = Form::read(&form).unwrap();
    let report = half_year::report();
    let pdf = report::pdf(&serde_json::to_vec(&report).unwrap(), &form).unwrap();
    let text = Pdf::read(&pdf).text();
    in_order(
        &text,
        &[
            "Số: 123/BC-TTMP",
            "- Văn phòng Chính phủ;",
            "III. NHIỆM VỤ",
            "Hoàn thành kết nối *mọi* #hệ thống.",
            "IV. ĐỀ XUẤT",
            "Không có.",
        ],
    );
    assert!(text.contains("KT. GIÁM ĐỐC") && !text.contains("BỘ MÔ PHỎNG"));
}
