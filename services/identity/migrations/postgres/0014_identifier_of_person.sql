-- All numbers of a person: by them the records are found that name the person.
CREATE INDEX identifier_of_person ON identifier (person_id);
