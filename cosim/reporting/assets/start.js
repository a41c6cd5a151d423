// What happens when the page is opened, and when another of its runs is chosen.

async function openScene(article) {
  const number = article.dataset.run,
    known = facts.runs[number];
  const packed = article.querySelector("script.packed");
  if (!known || !packed || article.dataset.open) return;
  article.dataset.open = "1";
  if (!("DecompressionStream" in window)) {
    article.querySelector(".row").textContent = "This browser is too old to unpack the run.";
    return;
  }
  const scene = new Scene(article, known, await unpacked(packed.textContent, known.index));
  showControls(scene);
  showMap(scene);
  showTimeline(scene);
  showRow(scene);
  article.dataset.open = "drawn";
}

function chooseRun(number) {
  for (const article of document.querySelectorAll("article")) {
    article.hidden = article.dataset.run !== number;
    if (!article.hidden) openScene(article);
  }
}

const chooser = byId("chooser");
if (chooser) chooser.addEventListener("change", () => chooseRun(chooser.value));
showCourse();
chooseRun(chooser ? chooser.value : "0");
