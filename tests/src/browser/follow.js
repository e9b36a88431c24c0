const [path, done] = arguments;
const links = (text, kind) => {
  if (!kind.startsWith("text/html")) return [];
  const page = new DOMParser().parseFromString(text, "text/html");
  return [...page.querySelectorAll("a[href]")]
    .map(a => new URL(a.getAttribute("href"), location.origin + path))
    .filter(to => to.origin === location.origin)
    .map(to => to.pathname + to.search);
};
fetch(path).then(async answer => {
  const text = await answer.text();
  const kind = answer.headers.get("content-type") || "";
  done({ status: answer.status, at: new URL(answer.url).pathname, links: links(text, kind) });
}, error => done({ status: 0, at: String(error), links: [] }));
