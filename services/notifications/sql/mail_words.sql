select template, language, subject, opening, closing from projections.mail_words_v1 where school = $1
