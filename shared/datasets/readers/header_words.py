"""Words that name a column of texts, labels or ids in the larger languages.

They serve only to recognise a header line; which column is the text stays with
``column_names``.
"""

from shared.datasets.column_names import ID_NAMES, KNOWN_NAMES, OWN_LABEL_NAMES, normalize_name

_WORDS_BY_LANGUAGE: dict[str, str] = {
    "English": "labelname categories tag annotation annotator title subject feedback answer "
    "response description opinion remark commentary phrase tweettext labelid sentiments",
    "German": "satz sätze anfrage frage antwort nachricht bewertung beschreibung inhalt kommentar "
    "überschrift klasse kategorie etikett absicht stimmung thema note rezension meinung ziel",
    "French": "texte phrase contenu commentaire avis titre requête réponse étiquette libellé "
    "classe catégorie intention sujet polarité",
    "Spanish": "texto frase oración contenido comentario opinión reseña mensaje título pregunta "
    "respuesta etiqueta clase categoría intención sentimiento tema polaridad calificación",
    "Portuguese": "sentença conteúdo comentário opinião mensagem pergunta resposta rótulo "
    "categoria classe intenção sentimento avaliação assunto",
    "Italian": "testo frase contenuto commento recensione messaggio domanda risposta etichetta "
    "categoria classe intento sentimento argomento polarità",
    "Dutch": "tekst zin bericht opmerking vraag antwoord beoordeling klasse categorie onderwerp "
    "bedoeling gevoel",
    "Polish": "tekst zdanie treść komentarz opinia pytanie odpowiedź etykieta klasa kategoria "
    "intencja temat ocena",
    "Czech": "věta obsah komentář otázka odpověď štítek třída kategorie záměr téma hodnocení",
    "Scandinavian": "tekst text mening setning sætning kommentar fråga svar etikett klass klasse "
    "kategori avsikt ämne betyg omdöme",
    "Finnish": "teksti lause kommentti kysymys vastaus luokka kategoria tunniste aihe aikomus",
    "Hungarian": "szöveg mondat megjegyzés kérdés válasz címke osztály kategória szándék téma",
    "Romanian": "propoziție comentariu întrebare răspuns etichetă clasă categorie intenție",
    "Greek": "κείμενο πρόταση σχόλιο ερώτηση απάντηση ετικέτα κλάση κατηγορία θέμα",
    "Turkish": "metin cümle yorum soru cevap etiket sınıf kategori niyet duygu konu",
    "Russian": "текст предложение сообщение отзыв комментарий вопрос ответ запрос метка класс "
    "категория тональность намерение тема оценка",
    "Ukrainian": "речення повідомлення відгук коментар питання відповідь мітка клас категорія",
    "Arabic": "النص نص جملة الجملة تعليق التعليق السؤال الجواب التصنيف تصنيف الفئة فئة الوسم",
    "Hebrew": "טקסט משפט תגובה שאלה תשובה תווית קטגוריה סיווג",
    "Persian": "متن جمله نظر پرسش پاسخ برچسب دسته",
    "Hindi": "पाठ वाक्य टिप्पणी समीक्षा प्रश्न उत्तर लेबल श्रेणी वर्ग भावना",
    "Bengali": "লেখা বাক্য মন্তব্য প্রশ্ন উত্তর লেবেল শ্রেণী",
    "Tamil": "உரை வாக்கியம் கருத்து கேள்வி பதில் வகை",
    "Chinese": "文本 句子 内容 评论 标题 问题 回答 标签 类别 分类 情感 意图 文字 內容 評論 標題 "
    "問題 標籤 類別 分類 情緒",
    "Japanese": "テキスト 文 文章 本文 内容 コメント レビュー 質問 回答 ラベル 分類 カテゴリ "
    "カテゴリー クラス 感情 意図",
    "Korean": "텍스트 문장 본문 내용 댓글 리뷰 질문 답변 라벨 레이블 분류 카테고리 감정 의도",
    "Thai": "ข้อความ ประโยค ความคิดเห็น คำถาม คำตอบ ป้ายกำกับ หมวดหมู่",
    "Vietnamese": "vănbản câu bìnhluận nộidung nhãn lớp phânloại",
    "Indonesian": "teks kalimat komentar ulasan pertanyaan jawaban kelas kategori sentimen",
}

_OTHER_NAMES = frozenset(
    normalize_name(word) for words in _WORDS_BY_LANGUAGE.values() for word in words.split()
)

CERTAIN_NAMES = (
    OWN_LABEL_NAMES
    | ID_NAMES
    | {"target", "class", "classindex", "isduplicate"}
    | {"text", "texts", "sentence", "sentence1", "sentence2"}
)
"""Names that are hardly ever a value."""

HEADER_WORDS = KNOWN_NAMES | _OTHER_NAMES
"""Normalised names that tell a header from a row of values."""


def is_header_word(cell: str) -> bool:
    return normalize_name(cell.strip()) in HEADER_WORDS


def is_certain_name(cell: str) -> bool:
    """Return whether a cell is a usual name that is hardly ever a label or a text."""
    return normalize_name(cell.strip()) in CERTAIN_NAMES
