// The search runs in a worker, which browsers refuse to a page that is a file: there, a hidden frame
// of the same page does its work. The theme looks for the name IFrameWorker.
if (location.protocol === "file:") {
  const loaded = (document_, url) =>
    new Promise((done, failed) => {
      const script = document_.createElement("script");
      script.src = url;
      script.onload = done;
      script.onerror = () => failed(new Error(`expected a script, found none: ${url}`));
      document_.body.appendChild(script);
    });

  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = frame.contentWindow;
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inside.importScripts = async (...urls) => {
        for (const each of urls) await loaded(inside.document, each);
      };
      this.inside = inside;
      this.frame = frame;
      this.ready = loaded(inside.document, new URL(url, location.href).href);
    }

    async postMessage(data) {
      await this.ready;
      this.inside.dispatchEvent(new MessageEvent("message", { data }));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
