// Course mode: nothing until the page's data have a lesson.

export class Lesson {
  constructor(app, data, element) {
    this.app = app;
    this.data = data;
    this.element = element;
    element.hidden = !data;
  }

  show() {}
}
