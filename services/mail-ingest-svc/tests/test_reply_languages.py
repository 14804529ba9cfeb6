"""Replies as mail programs write them in each language; above each stands what a person wrote."""

import pytest

from mail_ingest_svc.parse.reply import read_reply

WORDS = "Es geht wieder. Да, работает. 動きました。"
"""What the person wrote."""

ATTRIBUTIONS = {
    "en": "On Fri, May 3, 2024 at 2:13 PM Ann Example <ann@example.com> wrote:",
    "de": "Am Fr., 3. Mai 2024 um 14:13 Uhr schrieb Ann Example <ann@example.com>:",
    "de Apple": "Am 03.05.2024 um 14:13 schrieb Ann Example <ann@example.com>:",
    "fr": "Le ven. 3 mai 2024 à 14:13, Ann Example <ann@example.com> a écrit :",
    "es": "El vie, 3 may 2024 a las 14:13, Ann Example (<ann@example.com>) escribió:",
    "it": "Il giorno ven 3 mag 2024 alle ore 14:13 Ann Example <ann@example.com> ha scritto:",
    "pt": "Em sex., 3 de mai. de 2024 às 14:13, Ann Example <ann@example.com> escreveu:",
    "nl": "Op vr 3 mei 2024 om 14:13 schreef Ann Example <ann@example.com>:",
    "nl Apple": "Op 3 mei 2024 om 14:13 heeft Ann Example <ann@example.com> geschreven:",
    "sv": "Den fre 3 maj 2024 kl 14:13 skrev Ann Example <ann@example.com>:",
    "da": "Den fre. 3. maj 2024 kl. 14.13 skrev Ann Example <ann@example.com>:",
    "nb": "fre. 3. mai 2024 kl. 14:13 skrev Ann Example <ann@example.com>:",
    "fi": "pe 3. toukok. 2024 klo 14.13 Ann Example (ann@example.com) kirjoitti:",
    "pl": "pt., 3 maj 2024 o 14:13 Ann Example <ann@example.com> napisał(a):",
    "pl Thunderbird": "W dniu 03.05.2024 o 14:13, Ann Example pisze:",
    "cs": "pá 3. 5. 2024 v 14:13 odesílatel Ann Example <ann@example.com> napsal:",
    "ru": "пт, 3 мая 2024 г. в 14:13, Ann Example <ann@example.com>:",
    "ru Thunderbird": "03.05.2024 14:13, Ann Example пишет:",
    "uk": "пт, 3 трав. 2024 р. о 14:13 Ann Example <ann@example.com> пише:",
    "tr": "Ann Example <ann@example.com>, 3 May 2024 Cum, 14:13 tarihinde şunu yazdı:",
    "el": "Στις Παρ 3 Μαΐ 2024 στις 2:13 μ.μ., ο χρήστης Ann Example <ann@example.com> έγραψε:",
    "he": "‫בתאריך יום ו׳, 3 במאי 2024 ב-14:13 מאת ‪Ann Example‬‏ <‪ann@example.com‬‏>:‬",
    "he Outlook": "בתאריך 3 במאי 2024, בשעה 14:13, Ann Example <ann@example.com> כתב/ה:",
    "ar": "في الجمعة، ٣ مايو ٢٠٢٤ في ٢:١٣ م تمت كتابة ما يلي بواسطة Ann <ann@example.com>:",
    "ar Apple": "في 3 مايو 2024، كتب Ann Example <ann@example.com>:",
    "ja": "2024年5月3日(金) 14:13 Ann Example <ann@example.com>:",
    "ja Apple": "2024/05/03 14:13、Ann Example <ann@example.com>のメール:",
    "zh": "Ann Example <ann@example.com> 于2024年5月3日周五 14:13写道：",
    "zh Apple": "在 2024年5月3日，14:13，Ann Example <ann@example.com> 写道：",
    "zh Taiwan": "Ann Example <ann@example.com> 於 2024年5月3日 週五 下午2:13寫道：",
    "ko": "2024년 5월 3일 (금) 오후 2:13, Ann Example <ann@example.com>님이 작성:",
    "vi": "Vào Th 6, 3 thg 5, 2024 vào lúc 14:13 Ann Example <ann@example.com> đã viết:",
    "hu": "Ann Example <ann@example.com> ezt írta (időpont: 2024. máj. 3., P, 14:13):",
    "ro": "Pe vin., 3 mai 2024 la 14:13, Ann Example <ann@example.com> a scris:",
}

HEADER_BLOCKS = {
    "en": "From: Ann\nSent: Friday, 3 May 2024 14:13\nTo: Support\nSubject: Printer",
    "de": "Von: Ann\nGesendet: Freitag, 3. Mai 2024 14:13\nAn: Support\nBetreff: Drucker",
    "fr": "De : Ann\nEnvoyé : vendredi 3 mai 2024 14:13\nÀ : Support\nObjet : Imprimante",
    "es": "De: Ann\nEnviado el: viernes, 3 de mayo de 2024 14:13\nPara: Support\nAsunto: Impresora",
    "it": "Da: Ann\nInviato: venerdì 3 maggio 2024 14:13\nA: Support\nOggetto: Stampante",
    "pt": "De: Ann\nEnviada em: sexta-feira, 3 de maio de 2024 14:13\nPara: Support\nAssunto: X",
    "nl": "Van: Ann\nVerzonden: vrijdag 3 mei 2024 14:13\nAan: Support\nOnderwerp: Printer",
    "sv": "Från: Ann\nSkickat: den 3 maj 2024 14:13\nTill: Support\nÄmne: Skrivare",
    "da": "Fra: Ann\nSendt: 3. maj 2024 14:13\nTil: Support\nEmne: Printer",
    "fi": "Lähettäjä: Ann\nLähetetty: perjantai 3. toukokuuta 2024\nVastaanottaja: S\nAihe: X",
    "pl": "Od: Ann\nWysłano: piątek, 3 maja 2024 14:13\nDo: Support\nTemat: Drukarka",
    "cs": "Od: Ann\nOdesláno: pátek 3. května 2024 14:13\nKomu: Support\nPředmět: Tiskárna",
    "ru": "От: Ann\nОтправлено: пятница, 3 мая 2024 г. 14:13\nКому: Support\nТема: Принтер",
    "uk": "Від: Ann\nНадіслано: п'ятниця, 3 травня 2024 р.\nКому: Support\nТема: Принтер",
    "tr": "Kimden: Ann\nGönderildi: 3 Mayıs 2024 Cuma 14:13\nKime: Support\nKonu: Yazıcı",
    "el": "Από: Ann\nΣτάλθηκε: Παρασκευή 3 Μαΐου 2024\nΠρος: Support\nΘέμα: Εκτυπωτής",
    "he": "מאת: Ann\nנשלח: יום שישי 3 מאי 2024 14:13\nאל: Support\nנושא: מדפסת",
    "ar": "من: Ann\nتاريخ الإرسال: 3 مايو 2024\nإلى: Support\nالموضوع: طابعة",
    "ja": "差出人: Ann\n送信日時: 2024年5月3日 14:13\n宛先: Support\n件名: プリンター",
    "zh": "发件人: Ann\n发送时间: 2024年5月3日 14:13\n收件人: Support\n主题: 打印机",
    "zh Taiwan": "寄件者： Ann\n寄件日期： 2024年5月3日\n收件者： Support\n主旨： 印表機",
    "ko": "보낸 사람: Ann\n보낸 날짜: 2024년 5월 3일\n받는 사람: Support\n제목: 프린터",
}

ORIGINALS = {
    "en": "Original Message",
    "de": "Ursprüngliche Nachricht",
    "fr": "Message d'origine",
    "es": "Mensaje original",
    "it": "Messaggio originale",
    "pt": "Mensagem original",
    "nl": "Oorspronkelijk bericht",
    "sv": "Ursprungligt meddelande",
    "da": "Oprindelig meddelelse",
    "nb": "Opprinnelig melding",
    "fi": "Alkuperäinen viesti",
    "pl": "Oryginalna wiadomość",
    "cs": "Původní zpráva",
    "ru": "Исходное сообщение",
    "uk": "Вихідне повідомлення",
    "tr": "Orijinal Mesaj",
    "el": "Αρχικό μήνυμα",
    "he": "הודעה מקורית",
    "ar": "الرسالة الأصلية",
    "ja": "元のメッセージ",
    "zh": "原始邮件",
    "ko": "원본 메시지",
}

FORWARDS = {
    "en": "---------- Forwarded message ---------",
    "en Apple": "Begin forwarded message:",
    "de": "---------- Weitergeleitete Nachricht ---------",
    "de Apple": "Anfang der weitergeleiteten Nachricht:",
    "fr": "---------- Message transféré ---------",
    "es": "---------- Mensaje reenviado ---------",
    "it": "---------- Messaggio inoltrato ---------",
    "pt": "---------- Mensagem encaminhada ---------",
    "nl": "---------- Doorgestuurd bericht ---------",
    "sv": "---------- Vidarebefordrat meddelande ---------",
    "da": "---------- Videresendt meddelelse ---------",
    "fi": "---------- Välitetty viesti ---------",
    "pl": "---------- Przekazana wiadomość ---------",
    "cs": "---------- Přeposlaná zpráva ---------",
    "ru": "---------- Пересланное сообщение ---------",
    "uk": "---------- Переслане повідомлення ---------",
    "tr": "---------- Yönlendirilen ileti ---------",
    "el": "---------- Προωθημένο μήνυμα ---------",
    "he": "---------- הודעה שהועברה ---------",
    "ar": "---------- رسالة معاد توجيهها ---------",
    "ja": "---------- 転送されたメッセージ ---------",
    "zh": "---------- 转发的邮件 ---------",
    "ko": "---------- 전달된 메시지 ---------",
}

SENT_FROM = {
    "en": "Sent from my iPhone",
    "de": "Von meinem iPhone gesendet",
    "fr": "Envoyé de mon iPhone",
    "es": "Enviado desde mi iPhone",
    "it": "Inviato da iPhone",
    "pt": "Enviado do meu iPhone",
    "nl": "Verstuurd vanaf mijn iPhone",
    "sv": "Skickat från min iPhone",
    "da": "Sendt fra min iPhone",
    "fi": "Lähetetty iPhonesta",
    "pl": "Wysłane z iPhone'a",
    "cs": "Odesláno z iPhonu",
    "ru": "Отправлено с iPhone",
    "uk": "Надіслано з iPhone",
    "tr": "iPhone'umdan gönderildi",
    "el": "Στάλθηκε από το iPhone μου",
    "he": "נשלח מה-iPhone שלי",
    "ar": "أُرسلت من الـ iPhone",
    "ja": "iPhoneから送信",
    "zh": "发自我的 iPhone",
    "ko": "나의 iPhone에서 보냄",
    "en Outlook": "Get Outlook for iOS<https://outlook.example.com/ios>",
    "de Samsung": "Von meinem Samsung Galaxy Smartphone gesendet.",
}


@pytest.mark.parametrize("line", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
@pytest.mark.parametrize("quote", ["> It blinks.\n> Ann", "It blinks.\nAnn"], ids=[">", "bare"])
def test_attributions_are_known(line: str, quote: str) -> None:
    reply = read_reply(f"{WORDS}\n\n{line}\n\n{quote}")
    assert (reply.visible, reply.quoted) == (WORDS, f"{line}\n\n{quote}")


@pytest.mark.parametrize("line", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_attribution_wrapped_before_the_address_or_the_verb(line: str) -> None:
    before, bracket, after = line.partition("<")
    for wrapped in (f"{before}\n{bracket}{after}", f"{before}{bracket}\n{after}"):
        assert read_reply(f"{WORDS}\n\n{wrapped.strip()}\n> It blinks.").visible == WORDS


@pytest.mark.parametrize("block", HEADER_BLOCKS.values(), ids=HEADER_BLOCKS)
@pytest.mark.parametrize("above", ["", "________________________________\n"], ids=["bare", "rule"])
def test_blocks_of_headers_are_known(block: str, above: str) -> None:
    reply = read_reply(f"{WORDS}\n\n{above}{block}\n\nIt blinks.")
    assert (reply.visible, reply.quoted) == (WORDS, f"{above}{block}\n\nIt blinks.")


@pytest.mark.parametrize("words", ORIGINALS.values(), ids=ORIGINALS)
def test_lines_before_an_original_message_are_known(words: str) -> None:
    for line in (f"-----{words}-----", f"-------- {words} --------"):
        reply = read_reply(f"{WORDS}\n\n{line}\nIt blinks.")
        assert (reply.visible, reply.quoted) == (WORDS, f"{line}\nIt blinks.")


@pytest.mark.parametrize("line", FORWARDS.values(), ids=FORWARDS)
def test_what_is_forwarded_is_content(line: str) -> None:
    text = f"FYI\n\n{line}\n{HEADER_BLOCKS['en']}\n\nIt blinks."
    assert read_reply(text).visible == text


@pytest.mark.parametrize("line", SENT_FROM.values(), ids=SENT_FROM)
def test_what_a_phone_adds_is_a_signature(line: str) -> None:
    reply = read_reply(f"{WORDS}\n\n{line}\n\n{ATTRIBUTIONS['en']}\n\nIt blinks.")
    assert (reply.visible, reply.signature) == (WORDS, line)
