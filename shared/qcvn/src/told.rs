//! What a conversion tells besides its result, in both languages and without any value (I8).

use std::fmt;

/// A place in a message, counted from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The item, the element or the input, by its path.
    pub place: String,
    /// Where it stands, in what was read as a message.
    pub at: Option<Position>,
    /// What is told of it.
    pub what: What,
}

/// What it means for the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// There is no result.
    Fault,
    /// The result lacks something.
    LeftOut,
    /// The result is whole, but was not read as the regulation writes.
    Note,
}

impl Severity {
    /// Its name, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::LeftOut => "left_out",
            Self::Note => "note",
        }
    }
}

/// The table of everything that is told: one exhaustive match.
macro_rules! told {
    ($($name:ident $(($field:ident: $of:ty))?, $severity:ident, $stable:literal, $vi:literal, $en:literal;)+) => {
        /// What is told.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum What {
            $(#[doc = $en] $name $(($of))?,)+
        }

        impl What {
            /// What it means for the result.
            #[must_use]
            pub fn severity(&self) -> Severity {
                match self {
                    $(Self::$name { .. } => Severity::$severity,)+
                }
            }

            /// Its stable name.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $stable,)+
                }
            }

            /// In Vietnamese.
            #[must_use]
            pub fn vi(&self) -> String {
                match self {
                    $(Self::$name $(($field))? => format!($vi),)+
                }
            }

            /// In English.
            #[must_use]
            pub fn en(&self) -> String {
                match self {
                    $(Self::$name $(($field))? => format!($en),)+
                }
            }
        }

        /// Name, severity and words of everything that is told, for the README.
        #[cfg(test)]
        pub(crate) fn catalogue() -> Vec<What> {
            vec![$(What::$name $((<$of as Sample>::sample(stringify!($field))))?,)+]
        }
    };
}

/// What stands for a value in the README.
#[cfg(test)]
trait Sample {
    fn sample(name: &str) -> Self;
}

#[cfg(test)]
impl Sample for String {
    fn sample(name: &str) -> Self {
        name.to_uppercase()
    }
}

#[cfg(test)]
impl Sample for usize {
    fn sample(_: &str) -> Self {
        100
    }
}

told! {
    TooLarge(max: usize), Fault, "TOO_LARGE", "lớn hơn {max} byte", "is larger than {max} bytes";
    Encoding, Fault, "ENCODING", "không phải UTF-8", "is not UTF-8";
    NotWellFormed, Fault, "NOT_WELL_FORMED", "không phải XML đúng cú pháp", "is not well-formed XML";
    DocumentType, Fault, "DOCUMENT_TYPE", "không chấp nhận khai báo DOCTYPE", "a document type declaration is refused";
    Entity, Fault, "ENTITY", "không chấp nhận thực thể tự khai báo", "an entity that XML does not predefine is refused";
    TooDeep, Fault, "TOO_DEEP", "lồng nhau quá sâu", "is nested too deeply";
    WrongRoot, Fault, "WRONG_ROOT", "phần tử gốc không phải CongdanCollection của QCVN 109", "the root is no CongdanCollection of QCVN 109";
    Missing, Fault, "MISSING", "bắt buộc phải có", "is required";
    Malformed, Fault, "MALFORMED", "không đúng dạng", "has not the right form";
    TooLong(max: usize), Fault, "TOO_LONG", "dài quá {max} ký tự", "is longer than {max} characters";
    Repeated, Fault, "REPEATED", "bị lặp lại", "stands there twice";
    Contradiction, Fault, "CONTRADICTION", "năm và ngày mâu thuẫn nhau", "year and date contradict each other";
    PersonalNumber, Fault, "PERSONAL_NUMBER", "không được là số định danh cá nhân; hãy dùng mã do tổ chức cấp cho cán bộ", "must not be a personal number; give the id that the organisation issued to the officer";
    UnknownInput, Fault, "UNKNOWN_INPUT", "không có trường này", "there is no such input";
    NotLookup, Fault, "NOT_A_LOOKUP", "dịch vụ tích hợp này không phải tra cứu thông tin công dân", "this integration service is no lookup of a citizen";

    NotHeld, LeftOut, "NOT_HELD", "không có dữ liệu", "no value is held";
    Withheld, LeftOut, "WITHHELD", "không được phép cung cấp", "the value, if any, is not given to this caller";
    UnknownItem, LeftOut, "UNKNOWN_ITEM", "không có mục thông tin này", "there is no such item";
    NoElement, LeftOut, "NO_ELEMENT", "QCVN 109 không có phần tử cho mục này", "the item has no element in QCVN 109";
    NoRelation, LeftOut, "NO_RELATION", "QCVN 109 không có phần tử cho quan hệ này", "the relation has no element in QCVN 109";
    FurtherValue, LeftOut, "FURTHER_VALUE", "phần tử chỉ mang một giá trị", "the element carries one value only";
    NoPart, LeftOut, "NO_PART", "phần này của giá trị không có phần tử", "this part of the value has no element";
    Incomplete, LeftOut, "INCOMPLETE", "thiếu phần mà giá trị phải có", "a part that the value must have is not there";
    Empty, LeftOut, "EMPTY", "phần tử rỗng, không cho biết điều gì", "the element is empty, which says nothing";
    UnknownElement, LeftOut, "UNKNOWN_ELEMENT", "phần tử không có trong bảng ánh xạ", "the element is not in the mapping";
    UnknownCode, LeftOut, "UNKNOWN_CODE", "mã không có trong danh mục", "the code is not in its list";
    ListNotSaid(list: String), LeftOut, "LIST_NOT_SAID", "chưa nói mã thuộc phiên bản nào của danh mục {list}", "it was not said which version of the list {list} the code is of";
    NoField, LeftOut, "NO_FIELD", "bên kia không có trường tương ứng", "the other side has no field for it";

    ListNotCarried(list: String), Note, "LIST_NOT_CARRIED", "thông điệp không mang tên danh mục {list} của mã", "the message does not say that the code is of the list {list}";
    WholeName, Note, "WHOLE_NAME", "cả họ và tên nằm trong Ten", "the whole name stands in Ten";
    FlatName, Note, "FLAT_NAME", "họ và tên không tách phần", "the name is one text, without parts";
    FlatCode, Note, "FLAT_CODE", "mã không nằm trong phần tử riêng", "the code is not in an element of its own";
    CompactDate, Note, "COMPACT_DATE", "ngày viết liền yyyymmdd", "the date is written yyyymmdd";
    NoPerson, Note, "NO_PERSON", "CongDan rỗng: không tìm thấy người nào", "an empty CongDan: nobody was found";
    CountDiffers, Note, "COUNT_DIFFERS", "SoCongDan khác số CongDan", "SoCongDan is not the number of CongDan";
    StrippedName, Note, "STRIPPED_NAME", "tên đã bị bỏ dấu và dấu cách nên sẽ không khớp", "the name has lost its marks and spaces and will agree with none that has them";
}

impl Told {
    /// Something of a place that has no position.
    pub(crate) fn of(place: impl Into<String>, what: What) -> Self {
        Self { place: place.into(), at: None, what }
    }
}

/// For a person: where, what it is of, and the reason in both languages.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.at {
            write!(f, "{line}:{column} ")?;
        }
        let Self { place, what, .. } = self;
        write!(f, "{place}  {}: {} / {}", what.name(), what.vi(), what.en())
    }
}

/// A name where it can be told: it is the sender's, and could hold anything (I8).
pub(crate) fn shown(name: &str) -> &str {
    let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphabetic());
    if plain { name } else { "?" }
}

/// Whether there is a fault among them.
pub(crate) fn faults(told: Vec<Told>) -> Result<Vec<Told>, Vec<Told>> {
    let fault = |told: &Told| told.what.severity() == Severity::Fault;
    if told.iter().any(fault) { Err(told.into_iter().filter(fault).collect()) } else { Ok(told) }
}
