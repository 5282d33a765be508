package migrate

import (
	"strings"
	"unicode"
)

// The special uses (RFC 6154 §2, RFC 8457 §3) that roles have.
const (
	roleAll       = `\All`
	roleArchive   = `\Archive`
	roleDrafts    = `\Drafts`
	roleFlagged   = `\Flagged`
	roleJunk      = `\Junk`
	roleSent      = `\Sent`
	roleTrash     = `\Trash`
	roleImportant = `\Important`
)

// isView: the mailbox shows messages that lie in others.
func isView(role string) bool {
	return role == roleAll || role == roleFlagged || role == roleImportant
}

// CleanRole is a role in the spelling of its RFC; "" for what is none.
func CleanRole(s string) string {
	for _, r := range [...]string{roleAll, roleArchive, roleDrafts, roleFlagged, roleJunk, roleSent, roleTrash, roleImportant} {
		if strings.EqualFold(s, r) {
			return r
		}
	}
	return ""
}

// knownNames are names that clients and servers give to mailboxes with a special
// use, in lower case and with letters and digits alone.
func knownNames() map[string]string {
	names := make(map[string]string)
	for role, list := range map[string]string{
		roleSent: "sent,sentitems,sentmail,sentmessages,gesendet,gesendete,gesendeteobjekte,gesendeteelemente,gesendetenachrichten," +
			"envoyés,envoyes,messagesenvoyés,élémentsenvoyés,elementsenvoyes,courrierenvoyé,enviados,elementosenviados,enviadas,itensenviados," +
			"mensajesenviados,correoenviado,inviata,inviati,postainviata,messaggiinviati,verzonden,verzondenitems,verzondenberichten,skickat,skickade," +
			"skickadeobjekt,sendt,sendteelementer,sendtepost,lähetetyt,lahetetyt,wysłane,wyslane,elementywysłane,odeslané,odeslanápošta,отправленные,送信済み,送信済みアイテム,已发送,已发送邮件,寄件備份,보낸편지함",
		roleDrafts: "drafts,draft,entwürfe,entwurfe,entwuerfe,entwurf,brouillons,brouillon,borradores,borrador,rascunhos,bozze,bozza,concepten,concept,utkast,kladder," +
			"luonnokset,wersjerobocze,szkice,koncepty,rozepsané,черновики,下書き,草稿,草稿箱,임시보관함",
		roleTrash: "trash,deleted,deleteditems,deletedmessages,bin,wastebasket,papierkorb,gelöscht,gelöschte,gelöschteobjekte,gelöschteelemente,geloeschteobjekte,corbeille," +
			"élémentssupprimés,elementssupprimes,messagessupprimés,papelera,elementoseliminados,eliminados,lixeira,itensexcluídos,itensexcluidos,cestino,postaeliminata,eliminati," +
			"prullenbak,verwijderd,verwijderdeitems,papperskorg,papperskorgen,borttagna,borttagnaobjekt,slettet,slettedeelementer,slettetpost,papirkurv,roskakori,poistetut,kosz," +
			"elementyusunięte,koš,odstraněnápošta,корзина,удаленные,удалённые,ゴミ箱,削除済みアイテム,垃圾桶,已删除,已删除邮件,휴지통",
		roleJunk: "junk,junkemail,junkmail,junkitems,spam,bulkmail,bulk,spamverdacht,unerwünscht,werbung,courrierindésirable,indésirables,indesirables,pourriel," +
			"correonodeseado,nodeseado,lixoeletrônico,lixoeletronico,postaindesiderata,indesiderata,ongewenst,ongewenstemail,ongewensteemail,skräppost,skrappost,søppelpost,uønsketmail," +
			"roskaposti,wiadomościśmieci,nevyžádaná,nevyžádanápošta,спам,нежелательнаяпочта,迷惑メール,垃圾邮件,垃圾郵件,스팸,스팸메일함",
		roleArchive: "archive,archives,archived,archiv,archivo,archivados,arquivo,archivio,archief,arkiv,arkisto,archiwum,архив,アーカイブ,存档,封存,보관함",
	} {
		for name := range strings.SplitSeq(list, ",") {
			names[name] = role
		}
	}
	return names
}

// guessRoles gives roles to mailboxes whose source says none, by their names, where
// no other mailbox has the role. Levels below INBOX count as the top.
func guessRoles(list []Mailbox) {
	taken := make(map[string]bool)
	for i := range list {
		list[i].Role = CleanRole(list[i].Role)
		taken[list[i].Role] = true
	}
	names := knownNames()
	for i := range list {
		m := &list[i]
		path := m.Path
		if len(path) == 2 && strings.EqualFold(path[0], "INBOX") {
			path = path[1:]
		}
		if m.Role != "" || m.NoSelect || len(path) != 1 {
			continue
		}
		if role := names[letters(path[0])]; role != "" && !taken[role] {
			m.Role, taken[role] = role, true
		}
	}
}

// letters is s in lower case without anything but letters and digits.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}
