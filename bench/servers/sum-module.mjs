// The application of the RPC contenders, the same for all: one controller, one request. Plain JavaScript, so the
// decorators are applied by hand, exactly as compiled TypeScript applies them.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';

class SumController {
  sum(data) {
    let total = 0;
    for (const number of data) total += number;
    return total;
  }
}
const { prototype } = SumController;
prototype.sumOfFive = function sumOfFive(data) {
  return this.sum(data);
};
for (const [name, pattern] of [
  ['sum', { cmd: 'sum' }],
  ['sumOfFive', 'sum-of-five'],
]) {
  MessagePattern(pattern)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}
Controller()(SumController);

export class SumModule {}
Module({ controllers: [SumController] })(SumModule);
