//! Names, provinces and code lists that the generator draws from.

/// Surnames with their shares in tenths of a per cent, after a public blog's collection of surname shares (its
/// own sources were not checked; see `data/SOURCES.md`); what the known shares leave is spread evenly over
/// surnames whose share is not known. Hoàng and Huỳnh, Vũ and Võ are different names and halve the
/// share that is stated for both together.
pub(super) const SURNAMES: [(&str, u32); 26] = [
    ("Nguyễn", 384),
    ("Trần", 110),
    ("Lê", 95),
    ("Phạm", 71),
    ("Hoàng", 26),
    ("Huỳnh", 25),
    ("Phan", 45),
    ("Vũ", 20),
    ("Võ", 19),
    ("Đặng", 21),
    ("Bùi", 20),
    ("Đỗ", 14),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 5),
    ("Đinh", 11),
    ("Trương", 11),
    ("Lâm", 11),
    ("Mai", 11),
    ("Trịnh", 11),
    ("Đào", 11),
    ("Cao", 11),
    ("Lương", 11),
    ("Hà", 11),
    ("Tạ", 10),
];

/// Middle names of men; empty for those without one.
pub(super) const MIDDLE_MALE: [&str; 10] =
    ["Văn", "Văn", "Đức", "Hữu", "Minh", "Quang", "Công", "Xuân", "Thanh", ""];

/// Middle names of women; empty for those without one.
pub(super) const MIDDLE_FEMALE: [&str; 10] =
    ["Thị", "Thị", "Thị", "Ngọc", "Thu", "Thanh", "Minh", "Thị Thu", "Thị Ngọc", ""];

/// Given names of men; some in both styles of tone placement, as registers hold both.
pub(super) const GIVEN_MALE: [&str; 24] = [
    "An", "Bình", "Cường", "Dũng", "Đạt", "Giang", "Hải", "Hiếu", "Hoà", "Hòa", "Hùng", "Huy",
    "Khoa", "Long", "Mạnh", "Nam", "Phúc", "Quân", "Quý", "Sơn", "Thuỵ", "Toàn", "Tuấn", "Việt",
];

/// Given names of women.
pub(super) const GIVEN_FEMALE: [&str; 24] = [
    "Anh",
    "Bích",
    "Chi",
    "Dung",
    "Đào",
    "Hà",
    "Hằng",
    "Hoa",
    "Hoà",
    "Hòa",
    "Huệ",
    "Hương",
    "Lan",
    "Linh",
    "Mai",
    "Nga",
    "Nhung",
    "Phượng",
    "Quỳnh",
    "Thuỷ",
    "Thủy",
    "Trang",
    "Vân",
    "Yến",
];

/// The version of the codes of `PROVINCES`.
pub(super) const UNITS: &str = "2025";

/// The 34 provinces and cities since 1 July 2025, by code.
pub(super) const PROVINCES: [(&str, &str); 34] = [
    ("01", "Hà Nội"),
    ("04", "Cao Bằng"),
    ("08", "Tuyên Quang"),
    ("11", "Điện Biên"),
    ("12", "Lai Châu"),
    ("14", "Sơn La"),
    ("15", "Lào Cai"),
    ("19", "Thái Nguyên"),
    ("20", "Lạng Sơn"),
    ("22", "Quảng Ninh"),
    ("24", "Bắc Ninh"),
    ("25", "Phú Thọ"),
    ("31", "Hải Phòng"),
    ("33", "Hưng Yên"),
    ("37", "Ninh Bình"),
    ("38", "Thanh Hóa"),
    ("40", "Nghệ An"),
    ("42", "Hà Tĩnh"),
    ("44", "Quảng Trị"),
    ("46", "Huế"),
    ("48", "Đà Nẵng"),
    ("51", "Quảng Ngãi"),
    ("52", "Gia Lai"),
    ("56", "Khánh Hòa"),
    ("66", "Đắk Lắk"),
    ("68", "Lâm Đồng"),
    ("75", "Đồng Nai"),
    ("79", "Hồ Chí Minh"),
    ("80", "Tây Ninh"),
    ("82", "Đồng Tháp"),
    ("86", "Vĩnh Long"),
    ("91", "An Giang"),
    ("92", "Cần Thơ"),
    ("96", "Cà Mau"),
];

/// Codes of `ethnic-group`, version `gso-15172`, other than 01 Kinh. Only those that were read at the
/// statistics office (its page of document 15172); the order of the later codes is not certain.
pub(super) const ETHNIC_MINORITIES: [&str; 19] = [
    "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20",
];

/// Code lists by id and version. The versions of lists without an official one are our own.
pub(super) const SEX: (&str, &str) = ("sex", "1");
/// Ethnic groups as the statistics office counts them; other lists give other meanings to these codes.
pub(super) const ETHNIC: (&str, &str) = ("ethnic-group", "gso-15172");
/// Countries.
pub(super) const COUNTRY: (&str, &str) = ("nationality", "iso-3166-1");
/// Marital status: 1 not married, 2 married, 3 divorced or widowed.
pub(super) const MARITAL: (&str, &str) = ("marital-status", "1");
/// Religions. 00 and 99 are never drawn: what they mean differs between systems.
pub(super) const RELIGION: (&str, &str) = ("religion", "1");
/// Blood types: 01 A, 02 B, 03 AB, 04 O.
pub(super) const BLOOD: (&str, &str) = ("blood-type", "1");
/// Relation to the head of the household. Only the head's own code is known.
pub(super) const HOUSEHOLD: (&str, &str) = ("household-relation", "1");
