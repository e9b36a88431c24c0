// Warns two minutes before the session ends. Everything else works without a script.
const until = Number(document.body.dataset.idleUntil);
if (until) {
  const wait = until - Date.now() - 120000;
  if (wait < 2147483647) {
    setTimeout(() => {
      const note = document.createElement("p");
      note.className = "note warn";
      note.textContent = document.body.dataset.idleWords;
      document.getElementById("live").append(note);
    }, Math.max(0, wait));
  }
}
